/** What validators say to each other about time. Types only. Rule TM-4, docs/protocol/time.md. */

/** "What time is it there?" Any peer may ask. */
export interface TimeRequestMessage {
  readonly kind: 'TimeRequest';
  readonly requestId: number;
}

/** The answerer's adjusted time when the question came and when this answer left. */
export interface TimeReplyMessage {
  readonly kind: 'TimeReply';
  readonly requestId: number;
  /** T2. @unit whole microseconds since 1970 */
  readonly receivedMicros: number;
  /** T3. @unit whole microseconds since 1970 */
  readonly repliedMicros: number;
  /** It has adjusted time; without it, this is its system clock. */
  readonly isSynchronised: boolean;
}
