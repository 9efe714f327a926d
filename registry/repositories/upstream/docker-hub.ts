/** All of these are Docker Hub; its registry answers at the first. */
const dockerHub: readonly string[] = [
  'registry-1.docker.io',
  'docker.io',
  'index.docker.io',
  'registry.docker.io',
  'hub.docker.com',
]

export function isDockerHub(url: string): boolean {
  return dockerHub.includes(new URL(url).hostname)
}
