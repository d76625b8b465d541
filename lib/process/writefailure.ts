import { Failure, failed, systemCode } from "../errors.ts";

/** The failure to tell when a file can't be written; what is none of the system's errors stays as it is. */
export function writeFailure(file: string, cause: unknown): Error {
  const code = systemCode(cause);
  if (cause instanceof Failure) return cause;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return failed(`cannot write ${file}: the disk is full (${code})`, {
      hint: "make room there and run the command again; RCLONE_BACKUPS_STATE moves the state elsewhere",
      cause,
    });
  }
  if (code === undefined && cause instanceof Error) return cause;
  return failed(`cannot write ${file} (${code ?? String(cause)})`, { cause });
}
