package soap

import (
	"encoding"
	"encoding/xml"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/ictmedia/schoolmail/internal/xsd"
)

// A plan says how a generated struct looks on the wire. Plans are made once per
// type from the struct tags that wsdlfix writes.
type plan struct {
	typ     reflect.Type
	name    xml.Name // of a wrapper element
	fields  []field
	byLocal map[string]int // wsdlfix lets no two fields of one struct share a local name
	spaces  []string       // every namespace below, wrapper's first
	any     bool           // the type is xsd.Any
	wrong   error          // why the type cannot be written or read
}

type kind uint8

const (
	kindString kind = iota
	kindInt32
	kindInt64
	kindBool
	kindText // encoding.TextUnmarshaler on the pointer
	kindStruct
)

type field struct {
	name     xml.Name
	index    int
	kind     kind
	repeated bool
	pointer  bool // single field of pointer type
	nillable bool
	required bool
	elem     reflect.Type // the type of the value itself
	elemPlan *plan        // kindStruct
}

var (
	plans    sync.Map // reflect.Type -> *plan
	plansMu  sync.Mutex
	anyType  = reflect.TypeFor[xsd.Any]()
	nameType = reflect.TypeFor[xml.Name]()
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// planOf returns the plan of a generated struct type. One that the generator cannot
// have written has a plan that says what is wrong.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	plansMu.Lock()
	defer plansMu.Unlock()
	made := map[reflect.Type]*plan{}
	p := makePlan(t, made)
	for _, q := range made {
		q.spaces = q.collect(nil, map[*plan]bool{})
		q.wrong = q.mistake(map[*plan]bool{})
	}
	for typ, q := range made {
		plans.Store(typ, q)
	}
	return p
}

func makePlan(t reflect.Type, made map[reflect.Type]*plan) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	if p := made[t]; p != nil {
		return p
	}
	p := &plan{typ: t, byLocal: map[string]int{}, any: t == anyType}
	made[t] = p
	if t.Kind() != reflect.Struct {
		p.wrong = fmt.Errorf("soap: %s is no struct", t)
	}
	if p.any || p.wrong != nil {
		return p
	}
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, _, _ := strings.Cut(sf.Tag.Get("xml"), ",")
		space, local, ok := strings.Cut(tag, " ")
		if !ok {
			p.wrong = fmt.Errorf("soap: %s.%s has no namespace", t, sf.Name)
			continue
		}
		name := xml.Name{Space: space, Local: local}
		if sf.Type == nameType {
			p.name = name
			continue
		}
		f := field{name: name, index: i, elem: sf.Type}
		flags := strings.Split(sf.Tag.Get("soap"), ",")
		f.nillable, f.required = slices.Contains(flags, "nillable"), slices.Contains(flags, "required")
		isText := func(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }
		if f.elem.Kind() == reflect.Slice && !isText(f.elem) {
			f.repeated, f.elem = true, f.elem.Elem()
		}
		if f.elem.Kind() == reflect.Pointer {
			f.pointer, f.elem = true, f.elem.Elem()
		}
		switch k := f.elem.Kind(); {
		case isText(f.elem):
			f.kind = kindText
		case k == reflect.String:
			f.kind = kindString
		case k == reflect.Int32:
			f.kind = kindInt32
		case k == reflect.Int64:
			f.kind = kindInt64
		case k == reflect.Bool:
			f.kind = kindBool
		case k == reflect.Struct:
			f.kind, f.elemPlan = kindStruct, makePlan(f.elem, made)
		default:
			p.wrong = fmt.Errorf("soap: %s.%s has type %s", t, sf.Name, sf.Type)
		}
		if f.repeated && f.kind == kindText {
			p.wrong = fmt.Errorf("soap: %s.%s repeats %s, which is not read", t, sf.Name, f.elem)
		}
		if _, double := p.byLocal[local]; double {
			p.wrong = fmt.Errorf("soap: %s has two fields for %q", t, local)
		}
		p.byLocal[local] = len(p.fields)
		p.fields = append(p.fields, f)
	}
	return p
}

// mistake is what is wrong with p or anything below.
func (p *plan) mistake(seen map[*plan]bool) error {
	if p.wrong != nil || seen[p] {
		return p.wrong
	}
	seen[p] = true
	for _, f := range p.fields {
		if f.elemPlan != nil {
			if err := f.elemPlan.mistake(seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect appends the namespaces of p and everything below, in order of appearance.
func (p *plan) collect(spaces []string, seen map[*plan]bool) []string {
	if seen[p] {
		return spaces
	}
	seen[p] = true
	add := func(s string) {
		if s != "" && !slices.Contains(spaces, s) {
			spaces = append(spaces, s)
		}
	}
	add(p.name.Space)
	for _, f := range p.fields {
		add(f.name.Space)
		if f.elemPlan != nil {
			spaces = f.elemPlan.collect(spaces, seen)
		}
	}
	return spaces
}
