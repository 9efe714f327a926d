declare const parsed: unique symbol
/** A string from outside that has been checked, once, at the door. */
export type Parsed<name extends string> = string & { readonly [parsed]: name }
