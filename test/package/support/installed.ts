/** The package as its users have it: packed by `npm pack`, installed by `npm install` into an empty folder. For tests. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../../..');
const COMPILER = join(ROOT, 'node_modules/.bin/tsc');

/** As a user's shell has it: nothing of the npm that runs these tests, and this Node first. */
const ENVIRONMENT = Object.fromEntries([
  ...Object.entries(process.env).filter(
    ([name]) => !/^(npm_(package|lifecycle|config_local_prefix)|ALTHING_|NODE_OPTIONS)/.test(name),
  ),
  ['PATH', [dirname(process.execPath), process.env['PATH']].join(delimiter)],
]);

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(cwd: string, program: string, ...words: readonly string[]): Promise<Ran> {
  try {
    const output = await promisify(execFile)(program, words, { cwd, env: ENVIRONMENT, maxBuffer: 2 ** 26 });
    return { code: 0, ...output };
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && 'stdout' in cause && 'stderr' in cause)) throw cause;
    return { code: Number(cause.code), stdout: String(cause.stdout), stderr: String(cause.stderr) };
  }
}

async function done(...[cwd, program, ...words]: Parameters<typeof run>): Promise<string> {
  const { code, stdout, stderr } = await run(cwd, program, ...words);
  if (code !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${code}\n${stdout}\n${stderr}`);
  return stdout;
}

/** What `start` and `network` say with `--json`, of which tests use these. */
interface Said {
  readonly type: string;
  readonly rpc_address?: string;
  readonly height?: number;
}

/** A program of the package that goes on until it is stopped. */
export class Running {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #said: Said[] = [];
  #stderr = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on('line', (line) => this.#said.push(JSON.parse(line)));
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
  }

  /** The first event of a type. */
  async says(type: string): Promise<Said> {
    for (const until = performance.now() + 30_000; performance.now() < until; ) {
      const found = this.#said.find((event) => event.type === type);
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`it never said "${type}": ${JSON.stringify(this.#said)}\n${this.#stderr}`);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }
}

export class Installed {
  /** The user's folder. */
  readonly folder = mkdtempSync(join(tmpdir(), 'althing-package-'));
  /** What is in the package. */
  files: readonly string[] = [];

  /** `npm pack` compiles; `npm install` takes the dependencies from npm's cache, or else from its registry. */
  static async create(): Promise<Installed> {
    const installed = new Installed();
    const { folder } = installed;
    const { filename, files } = packedFrom(
      await done(ROOT, 'npm', 'pack', '--json', '--pack-destination', folder),
    );
    installed.files = files.map(({ path }) => path);
    installed.write('package.json', '{ "type": "module" }');
    const quiet = ['--prefer-offline', '--no-audit', '--no-fund'];
    await done(folder, 'npm', 'install', ...quiet, `./${filename}`);
    return installed;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  /** `npx althing …`, to its end. */
  althing(...words: readonly string[]): Promise<string> {
    return done(this.folder, 'npx', 'althing', ...words);
  }

  /** `althing …`, until it is stopped: npx would keep the signals to itself. */
  start(...words: readonly string[]): Running {
    const program = join(this.folder, 'node_modules/.bin/althing');
    return new Running(
      spawn(program, words, { cwd: this.folder, env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  }

  /** A module of the user's. */
  node(file: string): Promise<string> {
    return done(this.folder, 'node', file);
  }

  /** What a strict compiler says to a module of the user's, who has no types of Node's. */
  async compilerOn(file: string): Promise<readonly string[]> {
    const config = {
      compilerOptions: { module: 'nodenext', target: 'esnext', strict: true, noEmit: true, types: [] },
      files: [file],
    };
    this.write('tsconfig.json', JSON.stringify(config));
    const { stdout } = await run(this.folder, COMPILER, '--project', '.', '--pretty', 'false');
    return stdout.split('\n').filter((line) => line !== '');
  }
}

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** What `npm pack --json` tells: an array of packages, or an object of them by name, by npm's version. */
function packedFrom(told: string): Packed {
  const listed: Readonly<Record<string, Packed>> = JSON.parse(told.slice(told.search(/^[[{]/m)));
  const [packed] = Object.values(listed);
  if (packed === undefined) throw new Error(`npm packed nothing: ${told}`);
  return packed;
}
