/** The server's clock: it stands still until a test moves it. Milliseconds since 1970. */
export interface Clock {
  now: () => number;
  set: (time: number) => void;
  advance: (by: number) => void;
  /** From here on it runs as the machine's own, from the time it shows now. */
  run: () => void;
}

/** A clock that shows `start`. */
export function makeClock(start: number): Clock {
  let base = start;
  let since: number | undefined;
  const now = (): number => (since === undefined ? base : base + (Date.now() - since));
  const set = (time: number): void => {
    base = time;
    if (since !== undefined) since = Date.now();
  };
  return {
    now,
    set,
    advance: (by) => set(now() + by),
    run: () => {
      base = now();
      since = Date.now();
    },
  };
}
