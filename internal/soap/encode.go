package soap

import (
	"bytes"
	"encoding"
	"encoding/xml"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/ictmedia/schoolmail/internal/xsd"
)

// Namespaces of the envelope and of xsi:nil.
const (
	envelopeSpace   = "http://schemas.xmlsoap.org/soap/envelope/"
	envelope12Space = "http://www.w3.org/2003/05/soap-envelope"
	instanceSpace   = "http://www.w3.org/2001/XMLSchema-instance"
)

// An encoder writes generated structs as XML. Elements of the wrapper's
// namespace have no prefix, those of the others "a", "b", ...
type encoder struct {
	buf    []byte
	prefix map[string]string
	nils   bool // spell out nil fields, as a server does
	err    error
	w      io.Writer                         // if set, full buffers go there
	omit   func(goType, element string) bool // elements to leave out, may be nil
}

// EncodeRequest returns the envelope of a request, which must be a pointer to
// op's request struct. Fields that are nil are left out. Text that XML cannot
// carry (control characters, invalid UTF-8) is an error.
func EncodeRequest(op *Operation, req any) ([]byte, error) {
	e := encoder{buf: make([]byte, 0, 2048)}
	e.buf = append(e.buf, `<?xml version="1.0" encoding="UTF-8"?>`+
		`<soap:Envelope xmlns:soap="`+envelopeSpace+`"><soap:Body>`...)
	e.wrapper(req, op.Request)
	e.buf = append(e.buf, `</soap:Body></soap:Envelope>`...)
	if e.err != nil {
		return nil, fmt.Errorf("soap: %s: encode request: %w", op, e.err)
	}
	return e.buf, nil
}

// EncodeResponse returns the envelope of an answer; see [WriteResponse].
func EncodeResponse(op *Operation, resp any) ([]byte, error) {
	var b bytes.Buffer
	err := WriteResponse(&b, op, resp, nil)
	return b.Bytes(), err
}

// WriteResponse writes the envelope of an answer as OX does: every nil field
// that the schema calls nillable is spelled out as xsi:nil="true", in schema
// order. For a void operation resp is nil and the Body is empty. Elements for which
// omit (which may be nil) says so are left out; it is asked with the name of the
// Go type and the element's local name. Long lists are written piece by piece.
func WriteResponse(w io.Writer, op *Operation, resp any, omit func(goType, element string) bool) error {
	e := encoder{buf: make([]byte, 0, flushAt+flushAt/2), nils: true, w: w, omit: omit}
	e.buf = append(e.buf, `<soap:Envelope xmlns:soap="`+envelopeSpace+`"><soap:Body>`...)
	if !op.Void() {
		e.wrapper(resp, op.Response)
	}
	e.buf = append(e.buf, `</soap:Body></soap:Envelope>`...)
	e.flush()
	if e.err != nil {
		return fmt.Errorf("soap: %s: encode response: %w", op, e.err)
	}
	return nil
}

// flushAt is the size of the pieces in which an answer is written.
const flushAt = 32 << 10

func (e *encoder) flush() {
	if e.err == nil {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

// wrapper writes a wrapper element with the declarations of all namespaces below it.
func (e *encoder) wrapper(v any, want xml.Name) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		e.err = fmt.Errorf("%T is no pointer to a wrapper of %s", v, want.Local)
		return
	}
	p := planOf(rv.Type().Elem())
	if p.wrong != nil {
		e.err = p.wrong
		return
	}
	if p.name != want {
		e.err = fmt.Errorf("%T is no wrapper of %s", v, want.Local)
		return
	}
	e.prefix = map[string]string{want.Space: ""}
	e.buf = append(e.buf, '<')
	e.buf = append(e.buf, want.Local...)
	e.buf = append(e.buf, ` xmlns="`+want.Space+`"`...)
	for i, s := range p.spaces[1:] {
		name := string(rune('a' + i))
		e.prefix[s] = name + ":"
		e.buf = append(e.buf, ` xmlns:`+name+`="`...)
		e.text(s)
		e.buf = append(e.buf, '"')
	}
	e.buf = append(e.buf, '>')
	e.fields(p, rv.Elem())
	e.end(want)
}

func (e *encoder) fields(p *plan, rv reflect.Value) {
	if p.any {
		e.text(rv.Interface().(xsd.Any).Text)
		return
	}
	for i := range p.fields {
		f := &p.fields[i]
		if e.omit != nil && e.omit(p.typ.Name(), f.name.Local) {
			continue
		}
		v := rv.Field(f.index)
		switch {
		case f.repeated:
			e.repeated(f, v)
		case (f.pointer || v.Kind() == reflect.Slice) && v.IsNil():
			if f.nillable && (e.nils || f.required) {
				e.null(f.name)
			}
		case f.pointer:
			e.value(f, v.Elem())
		default:
			e.value(f, v)
		}
	}
}

// repeated writes an element for each item of a list.
func (e *encoder) repeated(f *field, list reflect.Value) {
	for j := range list.Len() {
		item := list.Index(j)
		switch {
		case f.pointer && !item.IsNil():
			e.value(f, item.Elem())
		case !f.pointer:
			e.value(f, item)
		case e.nils && f.nillable:
			e.null(f.name)
		}
		if e.w != nil && len(e.buf) >= flushAt {
			e.flush()
		}
	}
}

func (e *encoder) value(f *field, v reflect.Value) {
	e.start(f.name)
	switch f.kind {
	case kindString:
		e.text(v.String())
	case kindInt32, kindInt64:
		e.buf = strconv.AppendInt(e.buf, v.Int(), 10)
	case kindBool:
		e.buf = strconv.AppendBool(e.buf, v.Bool())
	case kindText:
		b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil && e.err == nil {
			e.err = fmt.Errorf("%s: %w", f.name.Local, err)
		}
		e.text(string(b))
	case kindStruct:
		e.fields(f.elemPlan, v)
	}
	e.end(f.name)
}

func (e *encoder) start(n xml.Name) {
	e.buf = append(e.buf, '<')
	e.buf = append(e.buf, e.prefix[n.Space]...)
	e.buf = append(e.buf, n.Local...)
	e.buf = append(e.buf, '>')
}

func (e *encoder) end(n xml.Name) {
	e.buf = append(e.buf, '<', '/')
	e.buf = append(e.buf, e.prefix[n.Space]...)
	e.buf = append(e.buf, n.Local...)
	e.buf = append(e.buf, '>')
}

// null writes a nil element the way OX does, with its own declaration of xsi.
func (e *encoder) null(n xml.Name) {
	e.buf = append(e.buf, '<')
	e.buf = append(e.buf, e.prefix[n.Space]...)
	e.buf = append(e.buf, n.Local...)
	e.buf = append(e.buf, ` xmlns:xsi="`+instanceSpace+`" xsi:nil="true"/>`...)
}

// text appends escaped character data.
func (e *encoder) text(s string) {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			var esc string
			switch {
			case c == '&':
				esc = "&amp;"
			case c == '<':
				esc = "&lt;"
			case c == '>':
				esc = "&gt;"
			case c == '\r':
				esc = "&#xD;"
			case c < ' ' && c != '\n' && c != '\t':
				e.badText(rune(c))
			}
			if esc != "" {
				e.buf = append(e.buf, s[from:i]...)
				e.buf = append(e.buf, esc...)
				from = i + 1
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == 0xFFFE || r == 0xFFFF {
			e.badText(r)
		}
		i += n
	}
	e.buf = append(e.buf, s[from:]...)
}

func (e *encoder) badText(r rune) {
	if e.err == nil {
		e.err = fmt.Errorf("text holds %U, which XML cannot carry", r)
	}
}
