import { failed, usage, type Failure } from "../../errors.ts";
import type { HttpAnswer } from "../http.ts";
import { optional, parseXml, type Element } from "./xml.ts";

/** What a server says when it refuses: a code for programs, a message for people. */
export interface Fault {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Where the server says that the bucket is. */
  readonly region: string | undefined;
}

/** Reads a refusal. One without a body, as to HEAD, or that is none of S3's, has an empty code. */
export async function readFault(answer: HttpAnswer): Promise<Fault> {
  const root = await parseXml(answer.body);
  const fault = root?.name === "Error" ? faultOf(root, answer.status) : undefined;
  return {
    status: answer.status,
    code: fault?.code ?? "",
    message: fault?.message ?? "",
    region: answer.headers["x-amz-bucket-region"] ?? fault?.region,
  };
}

/** The fault that an element tells, in an answer of this status. */
export function faultOf(element: Element, status: number): Fault {
  return {
    status,
    code: optional(element, "Code")?.trim() ?? "",
    message: optional(element, "Message")?.trim() ?? "",
    region: optional(element, "Region")?.trim() || undefined,
  };
}

const busy = new Set([
  "InternalError",
  "OperationAborted",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
]);

const overloaded = new Set(["RequestTimeout", "ServiceUnavailable", "SlowDown"]);

/** Whether the same may succeed a little later. */
export function mayPass(fault: Fault): boolean {
  return busy.has(fault.code);
}

/** Whether the server itself is at fault, or the credentials, so that the next file is refused as well. */
export function concernsAll(fault: Fault): boolean {
  const { status, code } = fault;
  const down = status === 408 || status === 429 || status >= 500;
  return down || overloaded.has(code) || settings.has(code) || expired(fault);
}

/** Whether the credentials were good once and no longer are. */
export function expired(fault: Fault): boolean {
  return ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"].includes(fault.code);
}

/** Hints for codes that the user can do something about. */
const hints: Readonly<Record<string, string>> = {
  AccessDenied: "check what the key is allowed to do with this bucket, and locks of its objects",
  AllAccessDisabled: "ask the provider why the account is closed",
  AuthorizationHeaderMalformed: "check the region of the remote",
  ExpiredToken: "get new credentials: the session token of these has run out",
  InvalidAccessKeyId: "check access_key_id, and that the endpoint is that of the key's provider",
  InvalidObjectState:
    "the object is in an archive: bring it back with rclone backend restore first",
  InvalidToken: "check session_token: it goes with the key it was made with",
  NoSuchBucket: "check the name of the bucket, the region and the endpoint",
  PermanentRedirect: "check the region and the endpoint of the remote",
  RequestTimeTooSkewed: "set this machine's clock: it is too far from the server's",
  SignatureDoesNotMatch: "check secret_access_key, region and endpoint of the remote",
  SlowDown: "the server is asked too much: try again later",
};

const settings = new Set([
  "AuthorizationHeaderMalformed",
  "InvalidAccessKeyId",
  "InvalidToken",
  "NoSuchBucket",
  "PermanentRedirect",
  "SignatureDoesNotMatch",
]);

/** The failure for the user. `subject` is what was to be done to what. Its text never holds a key. */
export function faultFailure(subject: string, fault: Fault): Failure {
  const { status, code, message } = fault;
  // What a server says of a wrong signature repeats the request and its key.
  const words = code === "SignatureDoesNotMatch" || code === "InvalidAccessKeyId" ? "" : message;
  const said = [status === 200 ? "" : String(status), code, words]
    .filter((part) => part !== "")
    .join(" ");
  const hint = hints[code] ?? (status === 403 ? hints["AccessDenied"] : undefined);
  const text = `${subject}: expected it to be done, found ${said}`;
  const options = hint === undefined ? {} : { hint };
  return settings.has(code) ? usage(text, options) : failed(text, options);
}
