/** The one msgpack writer and reader of frames. Whole numbers beyond 32 bits become doubles; `prescan.ts` admits exactly what it writes. TP-8. */
import { Packr } from 'msgpackr';

export const packr = new Packr({ useRecords: false, moreTypes: false, variableMapSize: true });
