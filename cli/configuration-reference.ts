import { configJsonSchema, type JsonSchema } from './config-schema.ts'

const introduction = `# Configuration

One YAML file: \`caisson.yaml\` in the working directory, or the one that \`--config\` names. Everything has a default, so no
file is needed at all. An unknown key is an error that names the nearest known one. \`caisson check\` validates a file
and prints the effective configuration; \`caisson explain URL\` says where a request would go.

Relative paths are relative to the file. A path that starts with \`data/\` lies in the data directory, which is
\`./data\` or what \`--data\` names. This page and \`caisson.schema.json\` beside it (for editors) are generated from the schema
that validates the file: \`npm run docs\`.
`

/** docs/configuration.md: one heading per section, one row per key. */
export function configurationReference(): string {
  const sections = Object.entries(configJsonSchema().properties ?? {})
  return [introduction, ...sections.flatMap(([name, schema]) => section(name, schema))].join('\n')
}

function section(name: string, schema: JsonSchema): readonly string[] {
  const rows = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => keyRows(key, value))
  return [
    `## \`${name}:\``,
    '',
    schema.description ?? '',
    '',
    '| key | form | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ]
}

/** The key itself, then the keys inside it; each of several shapes of one value adds its own. */
function keyRows(key: string, schema: JsonSchema): readonly string[] {
  const kinds = shapes(schema).flatMap(({ properties }) => properties?.type?.const ?? [])
  const rows = shapes(schema).flatMap((shape) => [
    ...(kinds.length > 0 ? [row(`${key}.type`, { enum: kinds, description: 'Which kind of repository it is.' })] : []),
    ...Object.entries(shape.properties ?? {})
      .filter(([, inner]) => inner.const === undefined)
      .flatMap(([name, inner]) => keyRows(`${key}.${name}`, inner)),
    ...(shape.items ? insideOnly(keyRows(`${key}[]`, shape.items)) : []),
    ...(typeof shape.additionalProperties === 'object'
      ? insideOnly(keyRows(`${key}.<name>`, shape.additionalProperties))
      : []),
  ])
  return [...new Set([row(key, schema), ...rows])]
}

function insideOnly(rows: readonly string[]): readonly string[] {
  return rows.slice(1)
}

function row(key: string, schema: JsonSchema): string {
  const fallback = schema.default === undefined ? '' : `\`${JSON.stringify(schema.default)}\``
  const cells = [`\`${key}\``, form(schema), fallback, schema.description ?? '']
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function shapes(schema: JsonSchema): readonly JsonSchema[] {
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]
  return inner.length > 0 ? inner.flatMap(shapes) : [schema]
}

function form(schema: JsonSchema): string {
  return [...new Set(shapes(schema).map(formOf))].join(' or ')
}

function formOf({ type, enum: values, const: only, items }: JsonSchema): string {
  if (only !== undefined) return `\`${text(only)}\``
  if (values) return values.map((value) => `\`${text(value)}\``).join(', ')
  if (type === 'array') return items ? `list of ${form(items)}` : 'list'
  return type === 'object' ? 'mapping' : (type ?? 'any')
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
