/** Last words of the names of rclone's options that hold a secret itself. */
const words = new Set([
  "2fa",
  "apikey",
  "auth",
  "authorization",
  "base64",
  "cookie",
  "cookies",
  "credentials",
  "grant",
  "htpasswd",
  "key",
  "mnemonic",
  "pass",
  "passphrase",
  "passwd",
  "password",
  "pem",
  "secret",
  "session",
  "signature",
  "token",
]);

const whole = /(?:^|_)(?:access_key_id|connection_string|sas_url|shared_credentials|api_secret)$/;

/** These end like a secret, but hold a yes or no, a path or something public. */
const harmless =
  /(?:^|_)(?:ask_password|pin_host_key|use_cookies|seafile_2fa|client_credentials|env_auth|no_auth|v2_auth|public_key|client_key|rc_key|metrics_key)$/;

/**
 * Whether an option of rclone by this name, with `-` or `_` and in any case, holds a secret:
 * `sftp-pass`, `password2`, `secret_access_key`, but not `sftp-key-file` or `token_url`.
 */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replaceAll("-", "_");
  if (harmless.test(plain)) return false;
  const last = plain.slice(plain.lastIndexOf("_") + 1);
  return words.has(last) || words.has(last.replace(/\d+$/, "")) || whole.test(plain);
}

/** Whether an HTTP header given as `Name: value` or `Name,value` may hold a secret. */
export function isSecretHeader(header: string): boolean {
  return /auth|cookie|token|key|secret|password|signature/i.test(header.split(/[:,]/, 1)[0] ?? "");
}
