import { failed, Failure, systemCode } from "../errors.ts";
import type { SendOptions } from "./channel.ts";
import { shownTimeout } from "./channel.ts";
import { decoded } from "./web.ts";

/** A server that takes mail. */
export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte on; otherwise STARTTLS where the server has it. */
  readonly secure: boolean;
  /** A login is not sent without TLS. */
  readonly requireTls: boolean;
  readonly login: { readonly user: string; readonly pass: string } | undefined;
}

/**
 * The server that `smtp://USER:PASSWORD@HOST:PORT` or `smtps://…` means, at port 587 or 465 unless it
 * says another. A login needs TLS, unless the server is on this machine or the URL ends in
 * `?insecure=yes`. Throws failed, without what is in the URL.
 */
export function parseSmtpUrl(text: string): SmtpServer {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === "") {
    throw failed("smtp: expected smtps://USER:PASSWORD@HOST:PORT, found something else", {
      hint: "write special characters of the password as %XX",
    });
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const secure = url.protocol === "smtps:";
  const near = /^(?:localhost|127\.[\d.]+|::1)$/.test(host);
  const login =
    url.username === "" ? undefined : { user: decoded(url.username), pass: decoded(url.password) };
  return {
    host,
    port: url.port === "" ? (secure ? 465 : 587) : Number(url.port),
    secure,
    requireTls: login !== undefined && !near && url.searchParams.get("insecure") !== "yes",
    login,
  };
}

export interface SmtpMessage {
  readonly from: string;
  readonly to: readonly string[];
  /** As it goes over the wire. */
  readonly raw: Buffer;
}

/** Hands a message to a server. Throws failed, without the password, when not all recipients are taken. */
export async function sendBySmtp(
  server: SmtpServer,
  message: SmtpMessage,
  hostname: string,
  options: SendOptions,
): Promise<void> {
  const { default: SMTPConnection } = await import("nodemailer/lib/smtp-connection");
  const { host, port, secure, login } = server;
  const { signal, timeoutMs } = options;
  signal.throwIfAborted();
  const connection = new SMTPConnection({
    host,
    port,
    secure,
    requireTLS: server.requireTls,
    name: hostname,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    socketCloseTimeout: 0,
    logger: false,
  });
  const stop = (): void => connection.close();
  try {
    const rejected = await new Promise<readonly string[]>((resolve, reject) => {
      // What is not expected is told here, and a closed connection tells nothing.
      connection.on("error", reject);
      connection.on("end", () => reject(new Error("the connection was closed")));
      signal.addEventListener("abort", () => reject(failed("the time is up")), { once: true });
      signal.addEventListener("abort", stop, { once: true });
      const send = (): void =>
        connection.send({ from: message.from, to: [...message.to] }, message.raw, (error, info) =>
          error === null ? resolve(info.rejected) : reject(error),
        );
      connection.connect((error) => {
        if (error !== undefined) reject(error);
        else if (login === undefined) send();
        else
          connection.login({ credentials: login }, (refused) =>
            refused === null ? send() : reject(refused),
          );
      });
    });
    if (rejected.length === 0) return;
    throw failed(
      `smtp at ${host}: expected all recipients to be taken, found ${rejected.join(", ")} refused`,
    );
  } catch (error) {
    throw failure(`smtp at ${host}`, error, server, options);
  } finally {
    signal.removeEventListener("abort", stop);
    connection.quit();
    connection.close();
  }
}

function failure(
  where: string,
  error: unknown,
  { login }: SmtpServer,
  { signal, timeoutMs }: SendOptions,
): Failure {
  if (signal.aborted) {
    return failed(
      `${where}: expected the server to take the mail within ${shownTimeout(timeoutMs)}, found it still busy`,
      { cause: error },
    );
  }
  if (error instanceof Failure) return error;
  const code = systemCode(error);
  const said = masked(responseOf(error), login?.pass);
  const found = said === "" ? masked(messageOf(error), login?.pass) : said;
  const hint = code === undefined ? undefined : hints[code];
  return failed(`${where}: expected the server to take the mail, found ${found}`, {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

const hints: Readonly<Record<string, string>> = {
  EAUTH: "check the user and the password in the URL of smtp",
  ETLS: "the server has no TLS that can be trusted here, and no login is sent without it",
  EDNS: "check the name of the server in the URL of smtp",
  ECONNECTION: "check the network, and the port in the URL of smtp",
  ESOCKET: "check the network, and the port in the URL of smtp",
  EENVELOPE: "check the addresses of mail and mail_from",
};

/** What the server answered, in one line of readable length. */
function responseOf(error: unknown): string {
  if (!(error instanceof Error) || !("response" in error)) return "";
  return typeof error.response === "string"
    ? error.response.replaceAll(/\s+/g, " ").slice(0, 200)
    : "";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : "an error";
}

/** Nobody knows what a server repeats. */
function masked(text: string, password: string | undefined): string {
  if (password === undefined || password === "") return text;
  const encoded = Buffer.from(password, "utf8").toString("base64");
  return text.replaceAll(password, "********").replaceAll(encoded, "********");
}
