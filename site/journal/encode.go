package journal

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

// hash is a link of the chain.
type hash [sha256.Size]byte

// String returns the hash as it stands in the file.
func (h hash) String() string { return base64.RawStdEncoding.EncodeToString(h[:]) }

func parseHash(s string) (h hash, ok bool) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, false
	}
	copy(h[:], b)
	return h, true
}

// link returns the hash that follows h after a batch.
func (h hash) link(batch []byte) hash {
	d := sha256.New()
	d.Write(h[:])
	d.Write(batch)
	var next hash
	d.Sum(next[:0])
	return next
}

// phases are how the file says them: the character behind the effect.
var phases = map[schoolmail.JournalPhase]byte{schoolmail.Intent: '?', schoolmail.Done: '.', schoolmail.Failed: '!',
	schoolmail.Abandoned: '-'}

// stepRef is what a number in the file stands for.
type stepRef struct{ step, subject string }

// text is what the lines so far have said that later ones refer to. The encoder and
// the decoder keep the same.
type text struct {
	second  int64
	plan    string
	numbers map[stepRef]int // encoder
	refs    []stepRef       // decoder; number 1 is the first
}

// check says what keeps an entry from being written.
func check(e *schoolmail.JournalEntry) error {
	if _, ok := phases[e.Phase]; !ok || e.Effect == "" || e.UserID < 0 || e.From < 0 || e.To < 0 {
		return fmt.Errorf("entry with effect %q and phase %q: expected an effect that is intended, done, failed or "+
			"abandoned", e.Effect, e.Phase)
	}
	if n := len(e.Error) + len(e.By); n > maxEntry/4 { // in quotes it may be four times as long
		return fmt.Errorf("entry of %d bytes: expected less than 256 KiB", n)
	}
	return nil
}

// encode appends the lines of an entry, which has been checked, to b.
func (t *text) encode(b []byte, e *schoolmail.JournalEntry) []byte {
	switch second := e.Time.Unix(); {
	case second == t.second:
	case t.second != 0 && second > t.second && second-t.second < 1e6:
		b = fmt.Appendf(b, "+%d\n", second-t.second)
		t.second = second
	default:
		b = fmt.Appendf(b, "@%d\n", second)
		t.second = second
	}
	if e.Plan != t.plan {
		b = fmt.Appendf(b, "p %s\n", word(e.Plan))
		t.plan = e.Plan
	}
	ref := stepRef{e.Step, e.Subject}
	if t.numbers == nil {
		t.numbers = map[stepRef]int{{}: 0}
	}
	n, known := t.numbers[ref]
	if !known {
		n = len(t.numbers)
		t.numbers[ref] = n
		b = fmt.Appendf(b, "%d=%s %s\n", n, word(e.Step), word(e.Subject))
	}
	b = fmt.Appendf(b, "%d %s%c", n, word(e.Effect), phases[e.Phase])
	for _, a := range []struct {
		name  string
		value int
	}{{"from", int(e.From)}, {"to", int(e.To)}, {"user", int(e.UserID)}} {
		if a.value != 0 {
			b = fmt.Appendf(b, " %s=%d", a.name, a.value)
		}
	}
	if e.By != "" {
		b = append(b, " by="...)
		b = strconv.AppendQuote(b, e.By)
	}
	if e.Error != "" {
		b = append(b, " error="...)
		b = strconv.AppendQuote(b, e.Error)
	}
	return append(b, '\n')
}

// word returns s as it is if it cannot be misread, and in quotes otherwise.
func word(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '`' || r == '\'' || r == '=' || r == '?' || r == '!' || r > '~'
	})
	if plain {
		return s
	}
	return strconv.Quote(s)
}

// cutWord takes a word or a quoted text from the front.
func cutWord(s string) (w, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", "", err
		}
		w, err = strconv.Unquote(q)
		return w, s[len(q):], err
	}
	i := strings.IndexByte(s, ' ')
	if i < 0 {
		i = len(s)
	}
	if i == 0 {
		return "", "", errBad
	}
	return s[:i], s[i:], nil
}

var errBad = errors.New("not a line of a journal")

// decode reads a line and returns an entry if it is one.
func (t *text) decode(line string) (e schoolmail.JournalEntry, is bool, err error) {
	switch {
	case strings.HasPrefix(line, "@"), strings.HasPrefix(line, "+"):
		n, err := strconv.ParseInt(line[1:], 10, 64)
		if err != nil {
			return e, false, errBad
		}
		if line[0] == '+' {
			n += t.second
		}
		t.second = n
		return e, false, nil
	case strings.HasPrefix(line, "p "):
		plan, rest, err := cutWord(line[2:])
		if err != nil || rest != "" {
			return e, false, errBad
		}
		t.plan = plan
		return e, false, nil
	}
	digits := 0
	for digits < len(line) && line[digits] >= '0' && line[digits] <= '9' {
		digits++
	}
	n, err := strconv.Atoi(line[:digits])
	if err != nil || digits == len(line) {
		return e, false, errBad
	}
	if line[digits] == '=' {
		return e, false, t.define(n, line[digits+1:])
	}
	if line[digits] != ' ' || n > len(t.refs) {
		return e, false, errBad
	}
	if n > 0 {
		e.Step, e.Subject = t.refs[n-1].step, t.refs[n-1].subject
	}
	if t.second != (time.Time{}).Unix() {
		e.Time = time.Unix(t.second, 0).UTC()
	}
	e.Plan = t.plan
	return e, true, decodeEffect(&e, line[digits+1:])
}

// define reads what a number stands for.
func (t *text) define(n int, rest string) error {
	step, rest, err := cutWord(rest)
	if err != nil || !strings.HasPrefix(rest, " ") {
		return errBad
	}
	subject, rest, err := cutWord(rest[1:])
	if err != nil || rest != "" || n != len(t.refs)+1 {
		return errBad
	}
	t.refs = append(t.refs, stepRef{step, subject})
	return nil
}

// decodeEffect reads an effect with its phase, and what belongs to it.
func decodeEffect(e *schoolmail.JournalEntry, s string) error {
	quoted := strings.HasPrefix(s, `"`)
	w, rest, err := cutWord(s)
	if err != nil || rest == "" && quoted {
		return errBad
	}
	var phase byte
	if quoted {
		phase, rest = rest[0], rest[1:]
	} else {
		w, phase = w[:len(w)-1], w[len(w)-1]
	}
	e.Effect = w
	for p, c := range phases {
		if c == phase {
			e.Phase = p
		}
	}
	if e.Phase == "" || e.Effect == "" {
		return errBad
	}
	for rest != "" {
		name, value, ok := strings.Cut(rest, "=")
		if !ok || value == "" {
			return errBad
		}
		switch name {
		case " error":
			e.Error, rest, err = cutWord(value)
		case " by":
			e.By, rest, err = cutWord(value)
		default:
			rest, err = decodeNumber(e, name, value)
		}
		if err != nil || rest != "" && rest[0] != ' ' {
			return errBad
		}
	}
	return nil
}

// decodeNumber reads a context or an id, and returns what follows.
func decodeNumber(e *schoolmail.JournalEntry, name, value string) (rest string, err error) {
	digits := value
	if i := strings.IndexByte(value, ' '); i >= 0 {
		digits, rest = value[:i], value[i:]
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return "", errBad
	}
	switch name {
	case " from":
		e.From = schoolmail.ContextID(n)
	case " to":
		e.To = schoolmail.ContextID(n)
	case " user":
		e.UserID = schoolmail.UserID(n)
	default:
		return "", errBad
	}
	return rest, nil
}
