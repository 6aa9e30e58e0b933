package schoolmail

import "log/slog"

// Secret is a password, key or token. It prints as "[redacted]" through fmt,
// log/slog, encoding/json and encoding.TextMarshaler, so that a struct that
// holds one can be logged or dumped without harm. Only [Secret.Reveal] gives
// the text away, which makes every use easy to find.
type Secret string

const redacted = "[redacted]"

// Reveal returns the secret text.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString keeps %#v from printing the text.
func (s Secret) GoString() string { return "schoolmail.Secret(" + redacted + ")" }

// MarshalText writes the redacted form: a secret is never serialised.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text as it is, so that configuration files can hold secrets.
func (s *Secret) UnmarshalText(b []byte) error { *s = Secret(b); return nil }

// LogValue keeps slog handlers from printing the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
