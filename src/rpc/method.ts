/** What one RPC method is: its parameters, whether it is an operator's or hands operations in, and a function of the node's port. Types and their makers. */
import type { Millis, WallTime } from '../base/units.ts';
import type { Answer } from './json-rpc.ts';
import type { NodePort } from './node-port.ts';
import type { Arguments, ParameterList } from './parameters.ts';
import type { Submissions } from './submissions.ts';

/** What a call knows beside its arguments. */
export interface CallContext {
  readonly port: NodePort;
  readonly submissions: Submissions;
  /** Address of the client, which keys its rate limits. */
  readonly client: string;
  readonly commitTimeout: Millis;
  /** Until the call must be answered. */
  readonly timeLeft: Millis;
  /** Aborted when the client's connection is closed. */
  readonly signal: AbortSignal;
  readonly now: WallTime;
}

export interface RpcMethod {
  readonly parameters: ParameterList;
  /** Operator commands: POST only, with the token. */
  readonly admin: boolean;
  /** It hands operations to this node: refused at the door while there is no place (BR-2). */
  readonly submits: boolean;
  readonly call: (values: Readonly<Record<string, unknown>>, context: CallContext) => Promise<Answer>;
}

/** Ties a parameter list to the function that gets its values. */
export function method<const List extends ParameterList>(
  name: string,
  parameters: List,
  call: (values: Arguments<List>, context: CallContext) => Promise<Answer>,
): readonly [string, RpcMethod] {
  // The gateway: `parameters.ts` built the values from this very list.
  return [
    name,
    {
      ...{ parameters, admin: false, submits: false },
      call: (values, context) => call(values as Arguments<List>, context),
    },
  ];
}

export function submitMethod<const List extends ParameterList>(
  name: string,
  parameters: List,
  call: (values: Arguments<List>, context: CallContext) => Promise<Answer>,
): readonly [string, RpcMethod] {
  const [, made] = method(name, parameters, call);
  return [name, { ...made, submits: true }];
}

export function adminMethod<const List extends ParameterList>(
  name: string,
  parameters: List,
  call: (values: Arguments<List>, context: CallContext) => Promise<Answer>,
): readonly [string, RpcMethod] {
  const [, made] = method(name, parameters, call);
  return [name, { ...made, admin: true }];
}
