import { failed, usage } from "../../errors.ts";
import type { HttpAnswer } from "../http.ts";
import { isFields } from "./answers.ts";

/** What the service says when it refuses: a code for programs, a message for people. */
export interface Fault {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Reads a refusal; an answer that is none of the service's (a proxy's page) has an empty code. */
export function readFault(answer: HttpAnswer): Fault {
  const { status } = answer;
  try {
    const fields: unknown = JSON.parse(answer.body.toString("utf8"));
    if (isFields(fields))
      return { status, code: word(fields["code"]), message: word(fields["message"]) };
  } catch {
    // Not the service's own words: the status has to do.
  }
  return { status, code: "", message: "" };
}

function word(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Whether the token is at fault, and not the key. */
export function staleToken({ status, code }: Fault): boolean {
  return status === 401 && (code === "expired_auth_token" || code === "bad_auth_token");
}

/**
 * Whether one file is refused while others may be accepted, so that going on makes sense. What is still
 * refused in passing after all the attempts is a service that is down.
 */
export function concernsOneFile({ status, code }: Fault): boolean {
  if (code === "access_denied") return true;
  return status < 500 && ![401, 403, 408, 429].includes(status);
}

/** Whether the version or upload that was spoken of isn't there (any more). */
export function isGone({ code, message }: Fault): boolean {
  return (
    code === "file_not_present" ||
    code === "no_such_upload" ||
    (code === "bad_request" && /^(no active upload|file not present)/i.test(message))
  );
}

const caps: Readonly<Record<string, string>> = {
  cap_exceeded: "a cap of the account",
  storage_cap_exceeded: "the cap on storage",
  transaction_cap_exceeded: "the cap on transactions",
  download_cap_exceeded: "the cap on downloads",
};

/** The failure for the user. `subject` is what was to be done to what. */
export function faultFailure(subject: string, keyId: string, fault: Fault): Error {
  const { status, code, message } = fault;
  const cap = caps[code];
  const said = [String(status), code, message].filter((part) => part !== "").join(" ");
  if (cap !== undefined)
    return failed(
      `${subject}: expected it to be within the caps, found ${cap} exceeded (${said})`,
      {
        hint: "raise the cap in the account's settings (Caps & Alerts), or wait: daily caps begin anew at 0:00 GMT",
      },
    );
  if (status === 401)
    return usage(
      `${subject}: expected application key ${keyId} to be allowed to, found that it is not (${said})`,
      { hint: "check account and key of the remote, and the capabilities of the key" },
    );
  return failed(`${subject}: expected it to be done, found ${said}`);
}
