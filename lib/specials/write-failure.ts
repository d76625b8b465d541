/** What was written is not the archive that was wanted; another attempt may go well. */
export class WriteFailure extends Error {
  override readonly name = "WriteFailure";
}
