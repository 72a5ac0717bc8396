/** `config print`: the configuration files' defaults, or what a node would use and where each value comes from. */
import { type Command, Option } from 'commander';
import { type ConfigOverride, describeOrigin, loadConfig } from '../../node/config/load.ts';
import { renderToml, tomlValue } from '../../node/config/render.ts';
import { CONFIG_FILES, type ConfigFile, fileOf, SETTINGS } from '../../node/config/schema.ts';
import { type CommonOptions, collectSetting, withJson } from '../command.ts';
import { configFailure, usageFailure } from '../failure.ts';
import { createOutput, table } from '../output.ts';
import { requireConfiguration } from '../rpc-client.ts';

interface PrintOptions extends CommonOptions {
  readonly file?: ConfigFile;
  readonly effective?: boolean;
  readonly home?: string;
  readonly set?: readonly ConfigOverride[];
}

export function addConfigCommand(program: Command): void {
  const config = program.command('config').description('the configuration');
  withJson(
    config.command('print').description('every key with its default; --effective: with its value and origin'),
  )
    .addOption(new Option('--file <name>', 'of one file alone').choices(CONFIG_FILES))
    .option('--effective', 'the values that a node of --home would use now')
    .option('--home <dir>', "the node's home")
    .option('--set <section.key=value>', 'a value that a flag would give; repeatable', collectSetting)
    .action(print);
}

function print(options: PrintOptions): void {
  const output = createOutput(options.json === true);
  if (options.effective !== true) {
    if (options.home !== undefined || options.set !== undefined) {
      throw usageFailure('--home and --set belong to `config print --effective`');
    }
    const files = options.file === undefined ? CONFIG_FILES : [options.file];
    const defaults = SETTINGS.filter(({ section }) => files.includes(fileOf(section))).map(
      ({ section, path, setting }) => ({
        key: path,
        file: fileOf(section),
        default: setting.default,
        unit: setting.unit,
        note: setting.note,
        source: setting.source,
      }),
    );
    output.data(defaults, [
      files
        .map((file) => renderToml(new Map(), file))
        .join('\n')
        .trimEnd(),
    ]);
    return;
  }
  if (options.home !== undefined) requireConfiguration(options.home);
  const result = loadConfig(options.home ?? '.', process.env, options.set ?? []);
  if (result.status === 'refused') throw configFailure(result.problems);
  const settings = result.loaded.settings.filter(
    ({ section }) => options.file === undefined || fileOf(section) === options.file,
  );
  const rows = settings.map(({ section, key, value, origin }) => ({
    key: `${section}.${key}`,
    value,
    origin: describeOrigin(origin),
  }));
  output.data(
    rows,
    table([
      ['key', 'value', 'from'],
      ...rows.map(({ key, value, origin }) => [key, inline(tomlValue(value)), origin]),
    ]),
  );
}

const inline = (text: string): string => text.replaceAll(/\s*\n\s*/g, ' ');
