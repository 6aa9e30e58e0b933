package district

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/ictmedia/schoolmail"
)

// tree reads a text as TOML. The library's own descriptions show lines of the file,
// in which secrets may stand, so only position, key and message are used.
func tree(file string, data []byte) (map[string]any, *Error) {
	var t map[string]any
	err := toml.Unmarshal(data, &t)
	if err == nil {
		return t, nil
	}
	e, ok := errors.AsType[*toml.DecodeError](err)
	if !ok {
		return nil, &Error{File: file, Kind: ErrSyntax, Message: err.Error()}
	}
	line, column := e.Position()
	return nil, &Error{File: file, Line: line, Column: column, Key: strings.Join(e.Key(), "."),
		Kind: ErrSyntax, Message: strings.TrimPrefix(e.Error(), "toml: ")}
}

// skipMark leaves out the byte order mark that some editors put before a text.
func skipMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }

var (
	dateType = reflect.TypeFor[schoolmail.Date]()
	timeType = reflect.TypeFor[time.Time]()
)

// expected says in words what a value of a type looks like.
func expected(t reflect.Type) string {
	switch {
	case t == dateType:
		return `a day in quotes, as in "2027-08-02"`
	case t == timeType:
		return "a time with its zone, as in 2027-08-02T18:00:00+02:00"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return expected(t.Elem())
	case reflect.String:
		return "a text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "sections [[...]], or a list of { ... }"
		}
		return "a list in brackets, each of its values " + expected(t.Elem())
	}
	return "a section [...], or keys in { ... }"
}

// assign puts a value of the tree into a field; key says where it stands.
func (l *loader) assign(key string, value any, to reflect.Value) {
	wrong := func() { l.bad(key, "expected %s", expected(to.Type())) }
	switch to.Type() {
	case dateType:
		l.assignDate(key, value, to)
		return
	case timeType:
		if t, ok := value.(time.Time); ok {
			to.Set(reflect.ValueOf(t))
		} else {
			wrong()
		}
		return
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		l.assign(key, value, to.Elem())
	case reflect.String:
		s, ok := value.(string)
		if to.SetString(s); !ok {
			wrong()
		}
	case reflect.Bool:
		b, ok := value.(bool)
		if to.SetBool(b); !ok {
			wrong()
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, ok := value.(int64)
		switch {
		case !ok:
			wrong()
		case to.OverflowInt(n):
			l.bad(key, "%d: expected a smaller number", n)
		default:
			to.SetInt(n)
		}
	case reflect.Float64:
		switch n := value.(type) {
		case float64:
			to.SetFloat(n)
		case int64:
			to.SetFloat(float64(n))
		default:
			wrong()
		}
	case reflect.Slice:
		l.assignList(key, value, to)
	default:
		table, ok := value.(map[string]any)
		switch {
		case !ok:
			wrong()
		case to.Kind() == reflect.Map:
			l.assignMap(key, table, to)
		default:
			l.assignTable(key, table, to)
		}
	}
}

// assignDate takes a day in quotes, as the other programs' files have it, or as a
// date of TOML.
func (l *loader) assignDate(key string, value any, to reflect.Value) {
	text := ""
	switch v := value.(type) {
	case string:
		text = v
	case toml.LocalDate:
		text = v.String()
	default:
		l.bad(key, "expected %s", expected(dateType))
		return
	}
	if err := to.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		l.bad(key, "expected %s", expected(dateType))
	}
}

func (l *loader) assignList(key string, value any, to reflect.Value) {
	list, ok := value.([]any)
	if !ok {
		l.bad(key, "expected %s", expected(to.Type()))
		return
	}
	to.Set(reflect.MakeSlice(to.Type(), len(list), len(list)))
	for i, v := range list {
		l.assign(fmt.Sprintf("%s[%d]", key, i+1), v, to.Index(i))
	}
}

func (l *loader) assignMap(key string, table map[string]any, to reflect.Value) {
	to.Set(reflect.MakeMap(to.Type()))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		v := reflect.New(to.Type().Elem()).Elem()
		l.assign(key+"."+name, table[name], v)
		to.SetMapIndex(reflect.ValueOf(name).Convert(to.Type().Key()), v)
	}
}

func (l *loader) assignTable(key string, table map[string]any, to reflect.Value) {
	fields := map[string]int{}
	for i := range to.NumField() {
		if name := to.Type().Field(i).Tag.Get("toml"); name != "-" && name != "" {
			fields[name] = i
		}
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		path := name
		if key != "" {
			path = key + "." + name
		}
		field, known := fields[name]
		switch {
		case known && key == "" && l.onlyLists && !slices.Contains(listSections, name):
			l.bad(path, "expected only sections %s in a file of list_files", list(listSections))
		case known && (key != "" || l.reads(name)):
			l.assign(path, table[name], to.Field(field))
		case known: // another program's section
		default:
			l.unknown(path, table[name], slices.Sorted(maps.Keys(fields)))
		}
	}
}

// unknown tells of a key that nobody reads: where it has gone, or which one may be meant.
func (l *loader) unknown(path string, value any, known []string) {
	if now, ok := moved(path); ok && !l.other {
		l.wrong(ErrMoved, path, "is now %s", now)
		return
	}
	name := path[strings.LastIndexByte(path, '.')+1:]
	what := "key"
	list, _ := value.([]any)
	if len(list) > 0 {
		value = list[0]
	}
	if _, ok := value.(map[string]any); ok {
		what = "section"
	}
	var meant []string
	for _, k := range known {
		if near(name, k) {
			meant = append(meant, k)
		}
	}
	if len(meant) > 0 {
		l.wrong(ErrUnknown, path, "unknown %s; is %s meant?", what, strings.Join(meant, " or "))
		return
	}
	l.wrong(ErrUnknown, path, "unknown %s", what)
}

// near reports whether two names differ by one letter, added, left out or changed,
// or by two that have changed places.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if a == b || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case len(a) < len(b):
		return a[i:] == b[i+1:]
	case a[i+1:] == b[i+1:]:
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
