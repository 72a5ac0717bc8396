/**
 * The self-signed X.509 certificate over a node's Ed25519 key, and the key in a peer's. The certificate only
 * carries the key: nothing else in it is read, no authority is asked, dates do not matter. Source: RFC 5280,
 * RFC 8410. Rule TP-1, docs/protocol/transport.md.
 */
import type { X509Certificate } from 'node:crypto';
import { concatBytes, utf8 } from '../base/bytes.ts';
import { ed25519PublicKeyOfSpki } from '../crypto/ed25519.ts';

/** A DER element: tag, length, content. */
function der(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(...content);
  const { byteLength } = body;
  if (byteLength < 0x80) return concatBytes(new Uint8Array([tag, byteLength]), body);
  if (byteLength < 0x100) return concatBytes(new Uint8Array([tag, 0x81, byteLength]), body);
  return concatBytes(new Uint8Array([tag, 0x82, byteLength >> 8, byteLength & 0xff]), body);
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const UTF8_STRING = 0x0c;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
const VERSION = 0xa0;

const bytes = (...values: readonly number[]): Uint8Array => new Uint8Array(values);
/** AlgorithmIdentifier of Ed25519: the object identifier 1.3.101.112, without parameters (RFC 8410 section 3). */
const ED25519 = der(SEQUENCE, der(0x06, bytes(0x2b, 0x65, 0x70)));
/** Object identifier 2.5.4.3, commonName. */
const COMMON_NAME = der(0x06, bytes(0x55, 0x04, 0x03));
/** A bit string without unused bits. */
const bitString = (content: Uint8Array): Uint8Array => der(BIT_STRING, bytes(0), content);

/** Valid always: from 1970 to RFC 5280's "no well-defined end" (section 4.1.2.5). */
const VALIDITY = der(
  SEQUENCE,
  der(GENERALIZED_TIME, utf8('19700101000000Z')),
  der(GENERALIZED_TIME, utf8('99991231235959Z')),
);

/**
 * The certificate in DER. `nodeKey`: 32 bytes; `sign`: Ed25519 by its secret, 64 bytes. The same key gives the
 * same certificate.
 */
export function selfSignedCertificate(
  nodeKey: Uint8Array,
  commonName: string,
  sign: (message: Uint8Array) => Uint8Array,
): Uint8Array {
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, utf8(commonName)))));
  const body = der(
    SEQUENCE,
    der(VERSION, der(INTEGER, bytes(2))),
    der(INTEGER, bytes(1)),
    ED25519,
    name,
    VALIDITY,
    name,
    der(SEQUENCE, ED25519, bitString(nodeKey)),
  );
  return der(SEQUENCE, body, ED25519, bitString(sign(body)));
}

/** PEM text of DER bytes. */
export function pem(label: 'CERTIFICATE' | 'PRIVATE KEY', bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/** The Ed25519 key in a peer's certificate, 32 bytes; undefined when there is none or it is of another kind. */
export function certificateKey(certificate: X509Certificate | undefined): Uint8Array | undefined {
  if (certificate === undefined) return undefined;
  try {
    return ed25519PublicKeyOfSpki(certificate.publicKey.export({ format: 'der', type: 'spki' }));
  } catch {
    return undefined;
  }
}
