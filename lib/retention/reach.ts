/** Which paths a pattern can match, as far as that is plain to see. */
export interface Reach {
  /** The directory that all of them are below; empty for the top. */
  readonly head: readonly string[];
  /** Whether the pattern matches everything below `head`. */
  readonly all: boolean;
  /** Whether it matches `head` itself, too. */
  readonly self: boolean;
  /** Two patterns with one text match the same. */
  readonly text: string | undefined;
}

/** Whether everything that `inner` matches is surely matched by `outer`. */
export function coveredBy(inner: Reach, outer: Reach): boolean {
  if (inner.text !== undefined && inner.text === outer.text) return true;
  if (!outer.all || !outer.head.every((segment, index) => inner.head[index] === segment))
    return false;
  // The top itself is no file.
  const deeper = inner.head.length > outer.head.length || outer.head.length === 0;
  return deeper || outer.self || !inner.self;
}
