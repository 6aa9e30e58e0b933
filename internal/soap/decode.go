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
	if p.any {
		b, err := d.content(false)
		v.Addr().Interface().(*xsd.Any).Text = string(b)
		return err
	}
	hint := 0
	for {
		tok, err := d.next()
		if err != nil {
			return err
		}
		switch tok {
		case tokenEnd:
			return nil
		case tokenText:
			continue
		}
		// Children mostly come in schema order.
		i, ok := hint, true
		if i >= len(p.fields) || p.fields[i].name.Local != string(d.local) {
			i, ok = p.byLocal[string(d.local)]
		}
		if ok && d.refuse != nil && d.refuse(p.typ.Name(), string(d.local)) {
			ok = false
		}
		switch {
		case ok && (d.space == p.fields[i].name.Space || d.strict && d.space == ""):
		case d.strict && string(d.local) == "clusterWeight":
			// An old field of Database that the server drops without a word.
			if err := d.skip(); err != nil {
				return err
			}
			continue
		case d.strict:
			return &elementError{d.space, string(d.local), p.expected()}
		default:
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		f := &p.fields[i]
		if hint = i; !f.repeated {
			hint++
		}
		if d.isNil {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		if err := d.field(f, v.Field(f.index)); err != nil {
			return err
		}
	}
}

// field reads one element into the field fv.
func (d *decoder) field(f *field, fv reflect.Value) error {
	if f.kind == kindStruct {
		var target reflect.Value
		switch {
		case f.repeated && f.pointer:
			target = reflect.New(f.elem)
			fv.Set(reflect.Append(fv, target))
		case f.repeated:
			fv.Set(reflect.Append(fv, reflect.Zero(f.elem)))
			target = fv.Index(fv.Len() - 1).Addr()
		case f.pointer:
			if fv.IsNil() {
				fv.Set(reflect.New(f.elem))
			}
			target = fv
		default:
			target = fv.Addr()
		}
		return d.structInto(f.elemPlan, target.Elem())
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
	bad := func(kind string) error {
		return &valueError{local: f.name.Local, kind: kind, text: string(b), offset: offset}
	}
	switch dst := fv.Addr().Interface().(type) {
	case **string:
		s := string(b)
		*dst = &s
	case *[]string:
		*dst = append(*dst, string(b))
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
		switch {
		case f.repeated:
			panic(fmt.Sprintf("soap: no decoding for %T", dst))
		case f.pointer:
			fv.Set(target.Addr())
		}
	}
	return nil
}

func parseInt(b []byte, bits int) (int64, error) {
	return strconv.ParseInt(string(trimSpace(b)), 10, bits)
}
