/** Building blocks of the schema: kinds of value that several sections share, each with its error text. */
import { isIP } from 'node:net';
import * as z from 'zod';

/** 1 Mbit/s is 131,072 bytes/s, so this is 131 bytes/s: enough to tell "nearly nothing" from a mistake. */
const MBIT_PER_S_MIN = 0.001;
/** 1 Tbit/s: more than any network card carries. */
const MBIT_PER_S_MAX = 1_000_000;

export const port = () => z.int().min(0).max(65_535);

export const filePath = () =>
  z
    .string()
    .min(1)
    .refine((value) => !value.includes('\0'), { error: 'contains a NUL character' });

/** A string judged by a function that returns every problem in words. */
export const judged = (problemsOf: (value: string) => string[]) =>
  z.string().superRefine((value, context) => {
    for (const message of problemsOf(value)) context.addIssue({ code: 'custom', message });
  });

export const ip = () =>
  judged((value) =>
    isIP(value) === 0 ? [`${JSON.stringify(value)} is no IP address; host names are not accepted here`] : [],
  );

/** A rate that is unlimited when the key is absent. */
export const bandwidth = () => z.number().min(MBIT_PER_S_MIN).max(MBIT_PER_S_MAX).meta({ unit: 'Mbit/s' });
