package udm

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Profiles come back as they were sent.
func TestAccessProfile(t *testing.T) {
	t.Parallel()
	want := AccessProfile{Name: "webmail", DisplayName: "Webmail", Rights: []string{"contacts", "webmail"}}
	o := want.Object("cn=accessprofiles,cn=open-xchange,dc=x")
	o.Properties["calendar"] = false
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var back Object
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, AccessProfileOf(back)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The values that UDM shows in one type or another are read alike.
func TestValues(t *testing.T) {
	t.Parallel()
	p := Properties{}
	if err := json.Unmarshal([]byte(`{"a": "x", "n": 7, "s": "7", "t": true, "ok": "OK", "not": "Not", "l": ["a", "b"],
		"null": null, "one": "a", "mixed": ["a", 1]}`), &p); err != nil {
		t.Fatal(err)
	}
	if got := []string{p.text("a"), p.text("n"), p.text("null"), p.text("absent")}; !cmp.Equal(got,
		[]string{"x", "7", "", ""}) {
		t.Errorf("texts: %q", got)
	}
	if got := []int{p.number("n"), p.number("s"), p.number("a"), p.number("null")}; !cmp.Equal(got, []int{7, 7, 0, 0}) {
		t.Errorf("numbers: %v", got)
	}
	if got := []bool{p.flag("t"), p.flag("ok"), p.flag("not"), p.flag("null")}; !cmp.Equal(got,
		[]bool{true, true, false, false}) {
		t.Errorf("flags: %v", got)
	}
	if got := [][]string{p.list("l"), p.list("one"), p.list("null"), p.list("mixed")}; !cmp.Equal(got,
		[][]string{{"a", "b"}, {"a"}, nil, {"a"}}) {
		t.Errorf("lists: %q", got)
	}
}
