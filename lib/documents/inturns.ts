interface Arrived<T> {
  readonly from: AsyncGenerator<T>;
  readonly result: IteratorResult<T>;
}

/**
 * What several generators give, as it comes. `start` gets a signal that ends them all; so the first that throws ends
 * the others, and so does whoever stops listening. None is asked for more before what it gave was taken.
 */
export async function* inTurns<T>(
  start: (signal: AbortSignal) => readonly AsyncGenerator<T>[],
  signal: AbortSignal,
): AsyncGenerator<T> {
  const stop = new AbortController();
  const asked = new Map<AsyncGenerator<T>, Promise<Arrived<T>>>();
  const ask = (from: AsyncGenerator<T>): void => {
    const arriving = from.next().then((result) => ({ from, result }));
    // Thrown where it is awaited.
    arriving.catch(() => {});
    asked.set(from, arriving);
  };
  const all = start(AbortSignal.any([signal, stop.signal]));
  try {
    for (const each of all) ask(each);
    while (asked.size > 0) {
      const { from, result } = await Promise.race(asked.values());
      asked.delete(from);
      if (result.done === true) continue;
      yield result.value;
      ask(from);
    }
  } finally {
    stop.abort();
    await Promise.allSettled(all.map(async (each) => each.return(undefined)));
  }
}
