/**
 * One call of a method: its arguments converted, its answer within rpc.request_timeout_ms of the request's head, and what it came to told for
 * metrics and logs. A client's mistake is an answer, never a throw. Boundary: the clock, timers.
 */
import { type Millis, millis, wallTime } from '../base/units.ts';
import type { Caller } from './caller.ts';
import {
  type Answer,
  internalError,
  invalidParams,
  methodNotFound,
  operatorOnly,
  type RpcRequest,
} from './json-rpc.ts';
import type { CallContext, RpcMethod } from './method.ts';
import { METHODS } from './methods.ts';
import type { NodePort } from './node-port.ts';
import { type Conversion, fromJsonParams, type ParameterList } from './parameters.ts';
import type { Submissions } from './submissions.ts';

export interface FinishedCall {
  /** `unknown` for methods that do not exist, so that labels stay few. */
  readonly method: string;
  /** 0, or the JSON-RPC error's code. */
  readonly code: number;
  readonly duration: Millis;
  /** Present when the method itself failed unexpectedly. */
  readonly failure?: unknown;
}

/** What every call needs of the server. */
export interface CallParts {
  readonly port: NodePort;
  readonly submissions: Submissions;
  readonly requestTimeout: Millis;
  readonly commitTimeout: Millis;
  /** Told of each finished call. */
  readonly onCall: (call: FinishedCall) => void;
}

export async function answerRequest(
  parts: CallParts,
  { method: name, params }: RpcRequest,
  caller: Caller,
  operator: boolean,
): Promise<Answer> {
  const method = METHODS.get(name);
  if (method === undefined) return { error: methodNotFound(`there is no method "${name.slice(0, 80)}"`) };
  if (method.admin && !operator) return { error: operatorOnly(name) };
  return run(parts, name, method, fromJsonParams(method.parameters, params), caller);
}

export async function run(
  parts: CallParts,
  name: string,
  method: RpcMethod,
  converted: Conversion<ParameterList>,
  caller: Caller,
): Promise<Answer> {
  if (!converted.ok) return { error: invalidParams(converted.problem) };
  const startedAt = performance.now();
  const finish = (answer: Answer, failure?: unknown): Answer => {
    const duration = millis(performance.now() - startedAt);
    const code = 'error' in answer ? answer.error.code : 0;
    parts.onCall({ method: name, code, duration, ...(failure === undefined ? {} : { failure }) });
    return answer;
  };
  const { port, submissions, commitTimeout, requestTimeout } = parts;
  const timeLeft = millis(Math.max(0, requestTimeout - (startedAt - caller.since)));
  const { client } = caller;
  const now = wallTime(Date.now());
  const context: CallContext = {
    ...{ port, submissions, client, commitTimeout, timeLeft, now },
    get signal() {
      return caller.signal;
    },
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answer>((resolve) => {
    const error = internalError(`"${name}" took longer than ${requestTimeout} ms`);
    timer = setTimeout(() => resolve({ error }), timeLeft);
  });
  try {
    return finish(await Promise.race([method.call(converted.values, context), late]));
  } catch (failure) {
    return finish(
      { error: internalError(failure instanceof Error ? failure.message : String(failure)) },
      failure,
    );
  } finally {
    clearTimeout(timer);
  }
}
