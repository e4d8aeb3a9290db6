import { isUtf8 } from 'node:buffer';
import type { Labels } from '@vm-sync/core';

/**
 * Reads a label set, a JSON object of texts, as servers write it; undefined where it is none. What is not UTF-8 is kept
 * byte by byte: two such labels must never fall into one.
 */
export function readLabelSet(bytes: Buffer): Labels | undefined {
  let labels: unknown;
  try {
    labels = JSON.parse(bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1'));
  } catch {
    return undefined;
  }
  return isLabels(labels) ? labels : undefined;
}

function isLabels(labels: unknown): labels is Labels {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) return false;
  for (const value of Object.values(labels)) if (typeof value !== 'string') return false;
  return true;
}
