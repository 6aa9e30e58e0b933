package migrate

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
)

// digest identifies content: SHA-1 where the source tells it without a
// download (Cyrus, DIGEST.SHA1), else the first 20 bytes of SHA-256. One
// account uses one kind for all of its life.
type digest [20]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// digestKind is written into the account's state.
type digestKind string

const (
	kindSHA1   digestKind = "sha1"
	kindSHA256 digestKind = "sha256"
)

func (k digestKind) new() hash.Hash {
	if k == kindSHA1 {
		return sha1.New()
	}
	return sha256.New()
}

func sum(h hash.Hash) digest { return digest(h.Sum(nil)[:20]) }

func parseDigest(hexText string) (d digest, ok bool) {
	b, err := hex.DecodeString(hexText)
	if err != nil || len(b) != len(d) {
		return d, false
	}
	return digest(b), true
}

// maxHeader is how much of a header the loose digest looks at.
const maxHeader = 64 << 10

// looseHash recognises a message that another tool or a server has changed on
// the way: headers added (mbsync's X-TUID), line ends and NULs rewritten. It
// takes the headers that make a message what it is, unfolded and with blanks
// collapsed, and the body without CR and with NUL as 0x80, which is what
// Dovecot makes of it.
type looseHash struct {
	h      hash.Hash
	header bytes.Buffer
	inBody bool
}

func newLooseHash() *looseHash { return &looseHash{h: sha256.New()} }

func (l *looseHash) Write(p []byte) (int, error) {
	n := len(p)
	if !l.inBody {
		// The end of the header is looked for in what has been gathered.
		l.header.Write(p)
		end, skip := headerEnd(l.header.Bytes())
		if end < 0 && l.header.Len() < maxHeader {
			return n, nil
		}
		if end < 0 {
			end, skip = l.header.Len(), 0
		}
		l.inBody = true
		rest := slices.Clone(l.header.Bytes()[end+skip:])
		l.header.Truncate(end)
		l.hashHeader()
		p = rest
	}
	l.hashBody(p)
	return n, nil
}

func headerEnd(b []byte) (end, skip int) {
	i := bytes.Index(b, []byte("\n\r\n"))
	j := bytes.Index(b, []byte("\n\n"))
	switch {
	case i >= 0 && (j < 0 || i < j):
		return i + 1, 2
	case j >= 0:
		return j + 1, 1
	}
	return -1, 0
}

var identityHeaders = []string{"message-id", "date", "from", "to", "subject", "received"}

func (l *looseHash) hashHeader() {
	var fields []string
	for line := range strings.SplitSeq(l.header.String(), "\n") {
		if len(fields) > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			fields[len(fields)-1] += " " + line
			continue
		}
		fields = append(fields, line)
	}
	var keep []string
	for _, f := range fields {
		name, value, ok := strings.Cut(f, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || !slices.Contains(identityHeaders, name) {
			continue
		}
		if name == "message-id" && strings.Contains(value, "@imapsync") {
			continue // added by imapsync --addheader
		}
		keep = append(keep, name+":"+strings.Join(strings.Fields(value), " "))
	}
	slices.Sort(keep)
	fmt.Fprintf(l.h, "%q\n", keep)
}

func (l *looseHash) hashBody(p []byte) {
	p = bytes.ReplaceAll(p, []byte{'\r'}, nil)
	p = bytes.ReplaceAll(p, []byte{0}, []byte{0x80})
	l.h.Write(p)
}

func (l *looseHash) sum() digest {
	if !l.inBody {
		l.hashHeader()
	}
	return sum(l.h)
}

// digestBody reads a whole message and gives both digests.
func digestBody(kind digestKind, body io.Reader) (exact, loose digest, err error) {
	h, l := kind.new(), newLooseHash()
	_, err = io.Copy(io.MultiWriter(h, l), body)
	return sum(h), l.sum(), err
}
