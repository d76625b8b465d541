/** What a part of a dump is. Parts of the same kind, database and table are told apart by their order. */
export interface Section {
  /** Of the scanner's own words: "head" what comes first, "tail" what comes last, "data", … */
  readonly kind: string;
  readonly database?: string | undefined;
  readonly table?: string | undefined;
  /** Another table of the database: without that one, it is no part of its own table. */
  readonly needs?: string | undefined;
}
