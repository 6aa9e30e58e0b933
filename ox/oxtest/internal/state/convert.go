package state

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// Text returns the string that p points to, or "".
func Text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// Number returns the number that p points to, or 0.
func Number(p *int32) int {
	if p == nil {
		return 0
	}
	return int(*p)
}

func Itoa[T ~int](n T) string { return strconv.Itoa(int(n)) }

// Id32 makes an id for an answer.
func Id32[T ~int](n T) *int32 { return new(int32(n)) }

// Convert copies the fields that two generated structs share by name; each
// service has its own types for the same data.
func Convert[To any](from any) *To {
	rv := reflect.ValueOf(from)
	if rv.IsNil() {
		return nil
	}
	to := new(To)
	copyFields(reflect.ValueOf(to).Elem(), rv.Elem())
	return to
}

func copyFields(dst, src reflect.Value) {
	for i := range dst.NumField() {
		d := dst.Field(i)
		s := src.FieldByName(dst.Type().Field(i).Name)
		switch {
		case !s.IsValid() || dst.Type().Field(i).Name == "XMLName":
		case s.Type() == d.Type():
			d.Set(s)
		case d.Kind() == reflect.Pointer && !s.IsNil():
			d.Set(reflect.New(d.Type().Elem()))
			copyFields(d.Elem(), s.Elem())
		case d.Kind() == reflect.Slice:
			for j := range s.Len() {
				item := reflect.New(d.Type().Elem().Elem())
				copyFields(item.Elem(), s.Index(j).Elem())
				d.Set(reflect.Append(d, item))
			}
		}
	}
}

// AttributesOf makes the generated form of userAttributes; empty attributes are
// an empty element, not nil.
func AttributesOf(a Attributes) *oxuser.SOAPStringMapMap {
	out := &oxuser.SOAPStringMapMap{}
	for _, ns := range slices.Sorted(maps.Keys(a)) {
		m := &oxuser.SOAPStringMap{}
		for _, k := range slices.Sorted(maps.Keys(a[ns])) {
			m.Entries = append(m.Entries, &oxuser.Entry{Key: new(k), Value: new(a[ns][k])})
		}
		if len(m.Entries) > 0 {
			out.Entries = append(out.Entries, &oxuser.SOAPMapEntry{Key: new(ns), Value: m})
		}
	}
	return out
}

// mergeAttributes applies sent attributes to a: an entry without value deletes
// its key. It reports false for a namespace without a map, which OX refuses.
func mergeAttributes(a Attributes, sent *oxuser.SOAPStringMapMap) bool {
	if sent == nil {
		return true
	}
	for _, e := range sent.Entries {
		if e.Value == nil {
			return false
		}
		for _, kv := range e.Value.Entries {
			if kv.Value == nil {
				delete(a[Text(e.Key)], Text(kv.Key))
			} else {
				a.set(Text(e.Key), Text(kv.Key), *kv.Value)
			}
		}
	}
	return true
}

// Matches compares s with a search pattern: * stands for any text, and so does
// the SQL wildcard %; _ stands for one character. An empty pattern matches all.
func Matches(pattern, s string, fold bool) bool {
	if fold {
		pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	}
	return pattern == "" || wildcard([]rune(pattern), []rune(s))
}

func wildcard(p, s []rune) bool {
	star, from := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && (p[i] == '*' || p[i] == '%'):
			star, from = i, j
			i++
		case i < len(p) && (p[i] == '_' || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(p) && (p[i] == '*' || p[i] == '%') {
		i++
	}
	return i == len(p)
}

// Overlay sets the fields of dst that src has and sets, by name.
func Overlay(dst, src any) {
	d, s := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for i := range s.NumField() {
		f := d.FieldByName(s.Type().Field(i).Name)
		if f.IsValid() && f.Type() == s.Field(i).Type() && !s.Field(i).IsNil() {
			f.Set(s.Field(i))
		}
	}
}
