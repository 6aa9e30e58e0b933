package ox

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/internal/oxdata"
)

// Unlimited is the quota of a context or user without one.
const Unlimited = -1

// val returns what p points to, or the zero value.
func val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// text returns nil for "", so that the element is left out.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// number returns nil for 0.
func number[N ~int](n N) *int32 {
	if n == 0 {
		return nil
	}
	return new(int32Of(int(n)))
}

// int32Of keeps a number that the wire cannot carry from becoming another one.
func int32Of(n int) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }

// quota reads a quota; OX leaves it out when there is none.
func quota(p *int64) int64 {
	if p == nil {
		return Unlimited
	}
	return *p
}

func intTo(p *int) *int32 {
	if p == nil {
		return nil
	}
	return new(int32Of(*p))
}

func secretTo(s schoolmail.Secret) *string { return text(s.Reveal()) }

// dateFrom drops the zone that the server adds to a day.
func dateFrom(d *xsd.Date) schoolmail.Date {
	if d == nil || d.IsZero() {
		return 0
	}
	return schoolmail.NewDate(d.Year, d.Month, d.Day)
}

func dateTo(d *schoolmail.Date) *xsd.Date {
	if d == nil {
		return nil
	}
	return new(xsd.DateOf(d.Time().In(time.UTC)))
}

func attributesFrom(m *oxdata.SOAPStringMapMap) Attributes {
	if m == nil || len(m.Entries) == 0 {
		return nil
	}
	out := make(Attributes, len(m.Entries))
	for _, e := range m.Entries {
		out[val(e.Key)] = preferencesFrom(e.Value)
	}
	return out
}

func preferencesFrom(m *oxdata.SOAPStringMap) map[string]string {
	if m == nil || len(m.Entries) == 0 {
		return nil
	}
	out := make(map[string]string, len(m.Entries))
	for _, e := range m.Entries {
		out[val(e.Key)] = val(e.Value)
	}
	return out
}

func attributesTo(a AttributesChange) *oxdata.SOAPStringMapMap {
	if len(a) == 0 {
		return nil
	}
	out := new(oxdata.SOAPStringMapMap)
	for _, space := range slices.Sorted(maps.Keys(a)) {
		inner := new(oxdata.SOAPStringMap)
		for _, key := range slices.Sorted(maps.Keys(a[space])) {
			inner.Entries = append(inner.Entries, &oxdata.Entry{Key: new(key), Value: a[space][key]})
		}
		out.Entries = append(out.Entries, &oxdata.SOAPMapEntry{Key: new(space), Value: inner})
	}
	return out
}

// accessTo writes all 26 flags, since one that is left out is granted.
func accessTo(a Access) *oxdata.UserModuleAccess {
	out := new(oxdata.UserModuleAccess)
	v := reflect.ValueOf(out).Elem()
	for i, name := range accessNames {
		v.FieldByName(goName(name)).Set(reflect.ValueOf(new(a&(1<<i) != 0)))
	}
	return out
}

// accessFrom reads what accessTo writes.
func accessFrom(in *oxdata.UserModuleAccess) Access {
	if in == nil {
		return 0
	}
	v := reflect.ValueOf(in).Elem()
	var a Access
	for i, name := range accessNames {
		if p := v.FieldByName(goName(name)).Interface().(*bool); p != nil && *p {
			a |= 1 << i
		}
	}
	return a
}

// goName is the generated field name of an element: the first letter upper-cased.
func goName(element string) string {
	if c := element[0]; c >= 'a' && c <= 'z' {
		return string(c-'a'+'A') + element[1:]
	}
	return element
}

// recode copies a generated value into the type of the same name in another
// service. The services declare some types with fewer fields; a value in a
// field that the target lacks is an error.
func recode[T any](in any) (*T, error) {
	out := new(T)
	err := recodeStruct(reflect.ValueOf(out).Elem(), reflect.Indirect(reflect.ValueOf(in)))
	return out, err
}

func recodeStruct(dst, src reflect.Value) error {
	for i := range src.NumField() {
		f, name := src.Field(i), src.Type().Field(i).Name
		if f.IsZero() {
			continue
		}
		to := dst.FieldByName(name)
		if !to.IsValid() {
			return fmt.Errorf("%s cannot be set here", name)
		}
		if err := recodeValue(to, f); err != nil {
			return err
		}
	}
	return nil
}

func recodeValue(dst, src reflect.Value) error {
	switch {
	case dst.Type() == src.Type():
		dst.Set(src)
		return nil
	case src.Kind() == reflect.Pointer && src.Elem().Kind() == reflect.Struct:
		dst.Set(reflect.New(dst.Type().Elem()))
		return recodeStruct(dst.Elem(), src.Elem())
	case src.Kind() == reflect.Slice:
		dst.Set(reflect.MakeSlice(dst.Type(), src.Len(), src.Len()))
		for i := range src.Len() {
			if err := recodeValue(dst.Index(i), src.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("cannot write %v as %v", src.Type(), dst.Type())
}
