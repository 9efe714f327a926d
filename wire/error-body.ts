/** The JSON error form of OCI distribution 1.1, "Error Codes". Both processes answer in it. */
export interface ErrorBody {
  readonly errors: readonly { readonly code: string; readonly message: string; readonly detail?: unknown }[]
}

export function errorBody(code: string, message: string, detail?: unknown): ErrorBody {
  return { errors: [detail === undefined ? { code, message } : { code, message, detail }] }
}
