/** Whom clients shall trust, and for which registries. */
export interface TrustSubject {
  readonly hostPorts: readonly [string, ...string[]]
  readonly authorityFile: string
  /** SHA-256 of the authority's certificate, hexadecimal with colons. */
  readonly fingerprint: string
}

/** Text for people, one section per kind of client. Its commands take `ca.crt` from the directory one is in. */
export function trustInstructions(subject: TrustSubject): string {
  return [
    errorsWithoutTrust(subject),
    fetching(subject),
    dockerTrust(subject),
    containerdTrust(subject),
    podmanTrust(subject),
    systemTrust(),
    insecureRegistries(subject),
  ].join('\n')
}

/** What the clients print as long as they do not trust the authority; the words after `x509:` are always the same. */
export function errorsWithoutTrust({ hostPorts: [hostPort] }: TrustSubject): string {
  return section('What a client says without trust', [
    'docker:',
    `  Error response from daemon: Get "https://${hostPort}/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
    'docker up to 23, without quotes up to 19.03; the V1 protocol says /v1/_ping:',
    `  Error response from daemon: Get "https://${hostPort}/v2/": x509: certificate signed by unknown authority`,
    'docker 1.3 to 1.5:',
    `  Error: Invalid registry endpoint https://${hostPort}/v1/: Get https://${hostPort}/v1/_ping: x509: certificate signed by unknown authority`,
    'podman, skopeo, buildah, containerd, crane, oras:',
    '  … x509: certificate signed by unknown authority',
    '"x509: certificate is valid for …, not …" is another matter: the name is not among the hosts in the configuration.',
  ])
}

/** The first download cannot be trusted yet, hence the comparison. */
export function fetching({ hostPorts: [hostPort], authorityFile, fingerprint }: TrustSubject): string {
  return section(`The certificate of the authority is ${authorityFile}; on other machines`, [
    `  curl -k -o ca.crt https://${hostPort}/ca.crt`,
    '  openssl x509 -in ca.crt -noout -fingerprint -sha256',
    'must print',
    `  ${fingerprint}`,
    'The commands below are for the directory with this ca.crt.',
  ])
}

export function dockerTrust({ hostPorts }: TrustSubject): string {
  return section('Docker, on every machine that pushes or pulls; no restart is needed', [
    ...hostPorts.map((hostPort) => `  sudo install -D -m 644 ca.crt /etc/docker/certs.d/${hostPort}/ca.crt`),
    'Docker Desktop: the same below ~/.docker/certs.d, then restart it. Windows engine: C:\\ProgramData\\docker\\certs.d,',
    'the directory named without the colon.',
    'docker login of 1.3 to 1.5 looks only into the store of the system, see below.',
  ])
}

export function containerdTrust({ hostPorts }: TrustSubject): string {
  return section('containerd (Kubernetes, nerdctl, ctr --hosts-dir /etc/containerd/certs.d); no restart is needed', [
    ...hostPorts.flatMap((hostPort) => [
      `  sudo install -D -m 644 ca.crt /etc/containerd/certs.d/${hostPort}/ca.crt`,
      `  /etc/containerd/certs.d/${hostPort}/hosts.toml:`,
      ...indented(containerdHosts(hostPort), 4),
    ]),
    'Once, in /etc/containerd/config.toml, then restart containerd (version 1: [plugins."io.containerd.grpc.v1.cri".registry]):',
    ...indented('[plugins."io.containerd.cri.v1.images".registry]', 4),
    ...indented('  config_path = "/etc/containerd/certs.d"', 4),
    'Where a colon cannot be in a path, the directory is called host_port_ instead of host:port; containerd takes either.',
  ])
}

/** The text of `hosts.toml`. */
export function containerdHosts(hostPort: string): string {
  const url = `https://${hostPort}`
  return [
    `server = "${url}"`,
    '',
    `[host."${url}"]`,
    '  capabilities = ["pull", "resolve", "push"]',
    `  ca = "/etc/containerd/certs.d/${hostPort}/ca.crt"`,
  ].join('\n')
}

export function podmanTrust({ hostPorts }: TrustSubject): string {
  return section('podman, skopeo, buildah, CRI-O', [
    ...hostPorts.map((hostPort) => `  sudo install -D -m 644 ca.crt /etc/containers/certs.d/${hostPort}/ca.crt`),
    'Without root: ~/.config/containers/certs.d instead of /etc/containers/certs.d; for one command: --cert-dir.',
  ])
}

export function systemTrust(): string {
  return section('The store of the system, for every program on the machine (restart docker afterwards)', [
    'Debian, Ubuntu, Alpine:',
    `  sudo cp ca.crt /usr/local/share/ca-certificates/caisson.crt && sudo update-ca-certificates`,
    'Fedora, RHEL and their kin:',
    `  sudo cp ca.crt /etc/pki/ca-trust/source/anchors/caisson.crt && sudo update-ca-trust`,
    'macOS:',
    `  sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.crt`,
    'Windows, as administrator:',
    `  certutil -addstore -f ROOT ca.crt`,
  ])
}

/** Not trust but doing without it: whoever is between client and registry can read passwords and change images. */
export function insecureRegistries({ hostPorts }: TrustSubject): string {
  const daemon = JSON.stringify({ 'insecure-registries': hostPorts }, undefined, 2)
  const flags = hostPorts.map((hostPort) => `--insecure-registry ${hostPort}`).join(' ')
  return section('Without trust: insecure-registries (passwords and images are then open to whoever sits in between)', [
    '/etc/docker/daemon.json, then sudo systemctl restart docker:',
    ...indented(daemon, 4),
    'docker 1.3.1 and later by flag, in DOCKER_OPTS of /etc/default/docker, then sudo service docker restart:',
    `    DOCKER_OPTS="-H unix:///var/run/docker.sock ${flags}"`,
    'Boot2Docker: EXTRA_ARGS in /var/lib/boot2docker/profile, then sudo /etc/init.d/docker restart:',
    `    EXTRA_ARGS="${flags}"`,
    'podman and its kin: --tls-verify=false, or in /etc/containers/registries.conf:',
    ...hostPorts.flatMap((hostPort) => indented(`[[registry]]\nlocation = "${hostPort}"\ninsecure = true`, 4)),
  ])
}

function section(title: string, lines: readonly string[]): string {
  return [title, ...indented(lines.join('\n'), 2), ''].join('\n')
}

function indented(text: string, spaces: number): readonly string[] {
  return text.split('\n').map((line) => (line === '' ? line : ' '.repeat(spaces) + line))
}
