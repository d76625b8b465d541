/** What goes wrong with one call. */
export type Deed =
  /** An error answer; `retryAfter` in seconds. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly code: string;
      readonly message?: string;
      readonly retryAfter?: number;
    }
  /** The connection is reset before anything is done. */
  | { readonly kind: "reset" }
  /** The call is carried out, and the connection reset instead of an answer. */
  | { readonly kind: "lost" }
  /** The answer breaks off after so many bytes of its body, its Content-Length promising all of them. */
  | { readonly kind: "truncate"; readonly bytes: number }
  /** The body comes in bits of `bytes`, one each `ms` milliseconds. */
  | { readonly kind: "trickle"; readonly bytes: number; readonly ms: number }
  /** The body comes up to so many bytes, and then nothing more, the connection staying open. */
  | { readonly kind: "stall"; readonly bytes: number }
  /** One bit of the body is wrong, at this byte. */
  | { readonly kind: "flip"; readonly byte: number }
  /** Every token given so far is expired from now on, this call's too. */
  | { readonly kind: "expire" }
  /** No answer ever, the connection staying open. */
  | { readonly kind: "hang" }
  /** A listing returns at most so many entries, and where to go on (0 is allowed, as by the service). */
  | { readonly kind: "short"; readonly entries: number };

/** A fault and the calls it meets. */
export interface Fault {
  /** The name of the API: `b2_list_file_versions`, `b2_upload_file`, `b2_upload_part`, …; every one without it. */
  readonly api?: string;
  /** Only calls about this file name. */
  readonly name?: string;
  /** The first of the matching calls that it meets, from 1 (the default). */
  readonly from?: number;
  /** How many calls it meets, 1 by default; Infinity for all. */
  readonly times?: number;
  readonly deed: Deed;
}

/** The plan of what goes wrong. */
export interface Faults {
  /** Adds faults; of those that match a call the first one added applies. */
  plan: (faults: readonly Fault[]) => void;
  /** Nothing goes wrong any more. */
  clear: () => void;
  /** How many faults of the plan have not happened as often as planned (Infinity never has). */
  pending: () => number;
  /** What happens to this call; counts it. */
  meet: (api: string, name: string | undefined) => Deed | undefined;
}

/** An empty plan. */
export function makeFaults(): Faults {
  let planned: { readonly fault: Fault; seen: number }[] = [];
  const last = ({ from = 1, times = 1 }: Fault): number => from + times - 1;
  return {
    plan: (faults) => planned.push(...faults.map((fault) => ({ fault, seen: 0 }))),
    clear: () => void (planned = []),
    pending: () => planned.filter(({ fault, seen }) => seen < last(fault)).length,
    meet: (api, name) => {
      let met: Deed | undefined;
      for (const entry of planned) {
        const { fault } = entry;
        if (fault.api !== undefined && fault.api !== api) continue;
        if (fault.name !== undefined && fault.name !== name) continue;
        entry.seen += 1;
        const applies = entry.seen >= (fault.from ?? 1) && entry.seen <= last(fault);
        if (applies) met ??= fault.deed;
      }
      return met;
    },
  };
}
