/** An answer of the service that is an error: `{status, code, message}`. */
export class B2Error extends Error {
  readonly status: number;
  readonly code: string;
  /** Seconds, for the Retry-After header. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** A request that makes no sense. */
export function badRequest(message: string): B2Error {
  return new B2Error(400, "bad_request", message);
}

/** A key or token that may not do this. */
export function unauthorized(message: string): B2Error {
  return new B2Error(401, "unauthorized", message);
}
