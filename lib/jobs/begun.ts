/*
 * What rclone-backup tells rclone-backups run before it ends: that nothing skips its run any more. It is a line of
 * standard error, since standard output has the one document. No other line can be like it: what a hook or rclone
 * says has more words before it.
 */

/** The option by which it is asked for; not for users. */
export const begunOption = "--tell-begun";
/** What it tells. */
export const begunText = "begun";
/** The line that this makes. */
export const begunLine = `rclone-backup: ${begunText}`;
