package schoolmail

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fill sets every field of a value to something, texts with what JSON escapes.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("t%d \"ü\\<&>\x01\t\u2028\xff", *n))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(700000 + *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}

// Plans are written without reflection, and as encoding/json would write them.
func TestPlanJSONIsThatOfItsStructs(t *testing.T) {
	t.Parallel()
	same := func(what string, got []byte, v any) {
		t.Helper()
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-encoding/json +ours):\n%s", what, diff)
		}
	}
	for _, a := range actions {
		same(string(a.Kind())+", empty", appendObject(nil, false, a.fields), a)
		v, n := reflect.New(reflect.TypeOf(a)).Elem(), 0
		fill(v, &n)
		full := v.Interface().(Action)
		same(string(a.Kind()), appendObject(nil, false, full.fields), full)
	}
	n := 0
	var h Header
	var f Finding
	var c Forecast
	same("header, empty", appendObject(nil, false, h.fields), h)
	same("finding, empty", appendObject(nil, false, f.fields), f)
	for _, v := range []any{&h, &f, &c} {
		fill(reflect.ValueOf(v).Elem(), &n)
	}
	same("header", appendObject(nil, false, h.fields), h)
	same("finding", appendObject(nil, false, f.fields), f)
	same("forecast", appendObject(nil, false, c.fields), c)
}

// The fingerprint of a state depends on every field of what was observed, and
// not on the order in which it was listed.
func TestStateFingerprintSeesEverything(t *testing.T) {
	t.Parallel()
	var st State
	n := 0
	fill(reflect.ValueOf(&st).Elem(), &n)
	whole := st.Fingerprint()
	st.Accounts[0], st.Accounts[1] = st.Accounts[1], st.Accounts[0]
	st.Places[0], st.Places[1] = st.Places[1], st.Places[0]
	st.Contexts[0], st.Contexts[1] = st.Contexts[1], st.Contexts[0]
	st.Retired[0], st.Retired[1] = st.Retired[1], st.Retired[0]
	st.Leftovers[0], st.Leftovers[1] = st.Leftovers[1], st.Leftovers[0]
	a := st.Accounts[0].Aliases
	a[0], a[1] = a[1], a[0]
	if st.Fingerprint() != whole {
		t.Error("the order of the lists changes it")
	}
	var fields func(path string, v reflect.Value)
	fields = func(path string, v reflect.Value) {
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		switch v.Kind() {
		case reflect.String:
			v.SetString("other")
		case reflect.Int, reflect.Int32, reflect.Int64:
			v.SetInt(v.Int() + 1)
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Slice:
			fields(path+"[1]", v.Index(1))
			v.Set(v.Slice(0, 1))
		case reflect.Struct:
			for i := range v.NumField() {
				fields(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
			return
		}
		if st.Fingerprint() == whole {
			t.Errorf("it does not depend on %s", path)
		}
		v.Set(was)
	}
	fields("State", reflect.ValueOf(&st).Elem())
}

// Only the file that was reviewed is a plan.
func TestDecodePlanRefuses(t *testing.T) {
	t.Parallel()
	_, _, plan := twoTerms(t, 0)
	b, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodePlan(b); err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for _, test := range []struct{ name, file, want string }{
		{"rubbish at the end", good + "rubbish", "something follows"},
		{"a second plan", good + good, "something follows"},
		{"cut off", good[:len(good)/2], "unexpected EOF"},
		{"another context", strings.Replace(good, `"context":30`, `"context":10`, 1), "was changed"},
		{"another old copy", strings.Replace(good, `"old_copy":`, `"old_copy":1`, 1), "was changed"},
		{"an unknown kind", strings.Replace(good, `"kind":"transfer"`, `"kind":"erase"`, 1), "unknown kind"},
		{"an unknown field", strings.Replace(good, `"keep_copy"`, `"lose_copy"`, 1), "unknown field"},
		{"a field of a later version", strings.Replace(good, `"steps"`, `"more": 1, "steps"`, 1), "unknown field"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := DecodePlan([]byte(test.file)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
