package spool

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Bare LFs are counted the same however the file is read.
func TestBareLineFeeds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"": 0, "\n": 1, "\r\n": 0, "a\r\nb\nc\r\r\n": 1, "\n\r\n\n": 2, "x\r": 0} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(text),
			"byte by byte": iotest.OneByteReader(strings.NewReader(text)),
			"by halves":    iotest.HalfReader(strings.NewReader(text))} {
			var out bytes.Buffer
			c := content{w: &out}
			if err := c.copy(r, make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			if c.bare != want || out.String() != text || c.size != int64(len(text)) {
				t.Errorf("%q %s: %d bare, want %d; %q", text, name, c.bare, want, out.String())
			}
		}
	}
}
