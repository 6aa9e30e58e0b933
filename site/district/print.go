package district

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

// printer writes TOML with comments.
type printer struct{ b strings.Builder }

func (p *printer) line(s string) { p.b.WriteString(s + "\n") }

// section begins a section, with comments above it.
func (p *printer) section(head string, comments ...string) {
	p.line("")
	for _, c := range comments {
		p.line("# " + c)
	}
	p.line(head)
}

// need writes a key that must be there.
func (p *printer) need(key string, v any, comment string) { p.write("", key, v, comment) }

// key writes a key; with its default, or with nothing, it is a comment.
func (p *printer) key(key string, v, def any, comment string) {
	if r := reflect.ValueOf(v); reflect.DeepEqual(v, def) || r.IsZero() || r.Kind() == reflect.Slice && r.Len() == 0 {
		p.write("# ", key, def, comment)
		return
	}
	p.write("", key, v, comment)
}

// secret writes a secret, or where it is.
func (p *printer) secret(key string, v schoolmail.Secret, file string) {
	switch {
	case file != "":
		p.write("", key+"_file", file, "holds the secret alone")
	case v != "":
		p.write("", key, v.Reveal(), "")
	default:
		p.write("# ", key, "", "or "+key+"_file")
	}
}

func (p *printer) write(prefix, key string, v any, comment string) {
	s := prefix + key + " = " + encode(reflect.ValueOf(v))
	if comment != "" {
		s += "   # " + comment
	}
	p.line(s)
}

// encode writes a value as TOML.
func encode(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case schoolmail.Date:
		return quote(x.String())
	case time.Time:
		return x.Format(time.RFC3339Nano)
	case Limit:
		return fmt.Sprintf("{ school_percent = %d, district_percent = %d, free = %d }", x.SchoolPercent, x.DistrictPercent,
			x.Free)
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = encode(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		return fmt.Sprint(v.Interface())
	}
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7F:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

// quoteKey writes a key, in quotes where it is not a bare one.
func quoteKey(s string) string {
	for _, r := range s {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_') {
			return quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

func list[T ~string](items []T) string {
	texts := make([]string, len(items))
	for i, s := range items {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}
