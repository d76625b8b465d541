import type { Events } from "../../units/events.ts";

/** Tells how far a dump has been read; what it returns gets the bytes so far. */
export function splitProgress(
  events: Events,
  totalBytes: number | undefined,
  now: () => Date,
): (bytes: number) => void {
  const began = now().getTime();
  return (doneBytes) => {
    const seconds = (now().getTime() - began) / 1000;
    const rate = seconds > 0 ? doneBytes / seconds : undefined;
    events.progress({
      stage: "splitting",
      doneFiles: 0,
      totalFiles: undefined,
      doneBytes,
      totalBytes,
      rate,
      etaSeconds:
        rate === undefined || totalBytes === undefined
          ? undefined
          : (totalBytes - doneBytes) / rate,
    });
  };
}
