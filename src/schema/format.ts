/** The formats of texts that the API server decodes. */

// k8s.io/apimachinery/pkg/api/resource/quantity.go: UnmarshalJSON trims, ParseQuantity reads number and suffix.
const quantityText = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+|[KMGTPE]i|[numkMGTPE])?$/

export function isQuantity(text: string): boolean {
  return quantityText.test(text.trim())
}

// k8s.io/apimachinery/pkg/apis/meta/v1/time.go: time.RFC3339.
const timeText = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/

export function isTime(text: string): boolean {
  return timeText.test(text)
}

// encoding/json decodes bytes with base64.StdEncoding, which leaves out line breaks.
export function isBase64(text: string): boolean {
  const bare = text.replace(/[\r\n]/g, '')
  return bare.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(bare)
}
