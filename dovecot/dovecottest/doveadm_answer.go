package dovecottest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// field is one value of a row; rows keep their order.
type field struct {
	key   string
	value any // string or a number
}

type row []field

// result is what a command answers: rows, or an object for "user".
type result struct {
	rows   []row
	object any
	// spilt is 2.3.19's mistake in "who": only the first row is in the array.
	spilt bool
}

// output writes answers as Dovecot does, its mistakes included.
type output struct {
	buf      bytes.Buffer
	some     bool // an answer has been written that counts for commas
	last     int  // the exit code of the last command that had one
	series24 bool
}

func (o *output) comma() {
	if o.some {
		o.buf.WriteByte(',')
	}
	o.some = true
}

func (o *output) success(a result, tag string) {
	o.last = 0
	o.comma()
	o.buf.WriteString(`["doveadmResponse",`)
	switch {
	case a.object != nil:
		o.buf.Write(marshal(a.object))
	case a.spilt && len(a.rows) > 1:
		o.buf.WriteString("[" + a.rows[0].json() + "]")
		for _, r := range a.rows[1:] {
			o.buf.WriteString("," + r.json())
		}
	default:
		o.buf.WriteByte('[')
		for i, r := range a.rows {
			if i > 0 {
				o.buf.WriteByte(',')
			}
			o.buf.WriteString(r.json())
		}
		o.buf.WriteByte(']')
	}
	o.buf.WriteString("," + string(marshal(tag)) + "]")
}

func (o *output) exited(code int, tag string) {
	o.last = code
	o.comma()
	o.fail("exitCode", tag)
}

// refused is a command that was not run: 2.3 forgets the comma, and both send
// the exit code of the command before.
func (o *output) refused(typ, tag string) {
	if o.series24 {
		o.comma()
	}
	o.fail(typ, tag)
}

func (o *output) fail(typ, tag string) {
	blank := " "
	if o.series24 {
		blank = ""
	}
	fmt.Fprintf(&o.buf, `["error",{"type":"%s",%s"exitCode":%d},%s]`, typ, blank, o.last, marshal(tag))
}

func (r row) json() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(marshal(f.key))
		b.WriteByte(':')
		b.Write(marshal(f.value))
	}
	b.WriteByte('}')
	return b.String()
}

func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n")
}
