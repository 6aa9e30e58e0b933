package soap

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/internal/xsd"
)

// A decoder fills generated structs from a scanner. A client's decoder is
// lenient: it skips elements that it does not know, in whatever namespace. A
// server's is strict; see [DecodeRequest].
type decoder struct {
	*scanner
	strict bool
	refuse func(goType, element string) bool // server only, may be nil
	runs   nilRuns                           // client only
}

// An elementError is an element that the schema does not have at this place.
type elementError struct {
	space, local string
	expected     string // what belongs there, as JAXB lists it
}

func (e *elementError) Error() string {
	return fmt.Sprintf("unexpected element %q in namespace %q", e.local, e.space)
}

// A valueError is a text that is no value of the element's type.
type valueError struct {
	local, kind string
	text        string
	offset      int64
}

func (e *valueError) Error() string { return fmt.Sprintf("element %s is no %s", e.local, e.kind) }

// structInto reads the children of the element whose start tag was the last
// token into v, and the end tag.
func (d *decoder) structInto(p *plan, v reflect.Value) error {
	if p.wrong != nil {
		return p.wrong
	}
	if p.any {
		b, err := d.content(false)
		v.Addr().Interface().(*xsd.Any).Text = string(b)
		return err
	}
	hint := 0
	for {
		hint = d.pass(p, hint)
		base, from := d.base, d.pos
		tok, err := d.next()
		if err != nil {
			return err
		}
		if tok != tokenStart {
			if d.ended(p, hint); tok == tokenEnd {
				return nil
			}
			continue
		}
		if hint, err = d.element(p, v, hint, base, from); err != nil {
			return err
		}
	}
}

// element reads the element whose start tag, which began at from in the buffer of
// base, was the last token, and returns the field that is expected after it.
func (d *decoder) element(p *plan, v reflect.Value, hint int, base int64, from int) (next int, err error) {
	i, err := d.childField(p, hint)
	if err != nil {
		return hint, err
	}
	isNil := d.isNil
	if next = hint; i >= 0 {
		if next = i; !p.fields[i].repeated {
			next++
		}
	}
	if i >= 0 && !isNil {
		d.ended(p, hint)
		return next, d.field(&p.fields[i], v.Field(p.fields[i].index))
	}
	if err := d.skip(); err != nil || d.strict {
		return next, err
	}
	if b := raw(d.scanner, base, from); isNil || d.runs.again(b) {
		d.note(hint, b)
	} else {
		d.ended(p, hint)
	}
	return next, nil
}

// raw returns the bytes from a position up to the current one; nothing if the buffer
// was moved since.
func raw(s *scanner, base int64, from int) []byte {
	if s.base != base {
		return nil
	}
	return s.buf[from:s.pos]
}

// childField finds the field of the element whose start tag was the last token;
// below 0 for one that is passed over. Children mostly come in schema order: hint is
// the field to try first.
func (d *decoder) childField(p *plan, hint int) (int, error) {
	i, ok := hint, true
	if i >= len(p.fields) || p.fields[i].name.Local != string(d.local) {
		i, ok = p.byLocal[string(d.local)]
	}
	if ok && d.refuse != nil && d.refuse(p.typ.Name(), string(d.local)) {
		ok = false
	}
	switch {
	case ok && (d.space == p.fields[i].name.Space || d.strict && d.space == ""):
		return i, nil
	case d.strict && string(d.local) != "clusterWeight": // an old field of Database that the server drops without a word
		return -1, &elementError{d.space, string(d.local), p.expected()}
	}
	return -1, nil
}

// field reads one element into the field fv.
func (d *decoder) field(f *field, fv reflect.Value) error {
	if f.kind == kindStruct {
		return d.structInto(f.elemPlan, target(f, fv).Elem())
	}
	offset := d.offset()
	b, err := d.content(d.strict)
	if err == errElementInText {
		return &elementError{d.space, string(d.local), "(none)"}
	}
	if err != nil {
		return err
	}
	if d.strict && len(trimSpace(b)) == 0 {
		// JAXB leaves an int without digits unset, and takes offence at all else.
		switch {
		case f.elem.Kind() == reflect.Int32 && !f.repeated:
			return nil
		case f.kind != kindString && f.kind != kindBool && f.elem.Kind() != reflect.Slice:
			return &valueError{local: f.name.Local, kind: "value", text: `For input string: ""`, offset: offset}
		}
	}
	return d.parse(f, fv, b, offset)
}

// target makes the struct that an element is read into, and returns a pointer to it.
func target(f *field, fv reflect.Value) reflect.Value {
	switch {
	case f.repeated && f.pointer:
		fv.Set(reflect.Append(fv, reflect.New(f.elem)))
		return fv.Index(fv.Len() - 1)
	case f.repeated:
		fv.Set(reflect.Append(fv, reflect.Zero(f.elem)))
		return fv.Index(fv.Len() - 1).Addr()
	case f.pointer && fv.IsNil():
		fv.Set(reflect.New(f.elem))
	case !f.pointer:
		return fv.Addr()
	}
	return fv
}

// parse stores an element's text in the field fv. What is no value is reported by the
// offset of the element.
func (d *decoder) parse(f *field, fv reflect.Value, b []byte, offset int64) error {
	bad := func(kind string) error {
		return &valueError{local: f.name.Local, kind: kind, text: string(b), offset: offset}
	}
	switch dst := fv.Addr().Interface().(type) {
	case *string:
		*dst = string(b)
	case **string:
		s := string(b)
		*dst = &s
	case *[]string:
		*dst = append(*dst, string(b))
	case *int32:
		n, err := parseInt(b, 32)
		if err != nil {
			return bad("int")
		}
		*dst = int32(n)
	case **int32:
		n, err := parseInt(b, 32)
		if err != nil {
			return bad("int")
		}
		*dst = new(int32(n))
	case *[]int32:
		n, err := parseInt(b, 32)
		if err != nil {
			return bad("int")
		}
		*dst = append(*dst, int32(n))
	case **int64:
		n, err := parseInt(b, 64)
		if err != nil {
			return bad("long")
		}
		*dst = &n
	case *int64:
		n, err := parseInt(b, 64)
		if err != nil {
			return bad("long")
		}
		*dst = n
	case **bool:
		switch string(trimSpace(b)) {
		case "true", "1":
			*dst = new(true)
		case "false", "0":
			*dst = new(false)
		default:
			// JAXB leaves the field unset.
			if !d.strict {
				return bad("boolean")
			}
		}
	default: // kindText
		target := fv
		if f.pointer {
			target = reflect.New(f.elem).Elem()
		}
		if err := target.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(b); err != nil {
			return bad(strings.ToLower(f.elem.Name()))
		}
		if f.pointer {
			fv.Set(target.Addr())
		}
	}
	return nil
}

func parseInt(b []byte, bits int) (int64, error) {
	return strconv.ParseInt(string(trimSpace(b)), 10, bits)
}
