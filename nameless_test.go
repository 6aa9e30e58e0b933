package schoolmail

import (
	"reflect"
	"strings"
	"testing"
)

// Whatever a step is about, nothing that names its person is left in a plan without
// names, and the id knows none of it.
func TestPlanWithoutNames(t *testing.T) {
	t.Parallel()
	const secret = "Ottilie"
	for _, a := range actions {
		if a.Kind() == KindCreateContext {
			continue // about nobody
		}
		v, n := reflect.New(reflect.TypeOf(a)).Elem(), 0
		fill(v, &n)
		name(v, "", secret)
		key := RecordKey{"escada", "4711"}
		step := Step{ID: string(a.Kind()) + ":" + key.String(), Subject: secret, Key: key, School: "ps-a",
			Reason: secret + " is gone", Action: v.Interface().(Action)}
		plan := Plan{Header: Header{Format: PlanFormat}, Steps: []Step{step}, Held: []Held{{Step: step, Why: "as " + secret}},
			Findings: []Finding{{Kind: "odd", Text: secret, Key: key}}, Forecast: []Forecast{}}
		plan.Header.ID = plan.Fingerprint()
		bare, err := plan.WithoutNames(func(s string) string { return strings.ReplaceAll(s, secret, key.String()) })
		if err != nil {
			t.Fatal(err)
		}
		b, err := bare.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), secret) || !strings.Contains(string(b), `"reason":"escada/4711 is gone"`) {
			t.Errorf("%s: %s", a.Kind(), b)
		}
		if again, err := DecodePlan(b); err != nil || !again.Steps[0].Nameless() || step.Nameless() {
			t.Errorf("%s: the id is not that of the plan: %v", a.Kind(), err)
		}
	}
}

// name puts a name wherever a field may hold one.
func name(v reflect.Value, field, secret string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
		switch field {
		case "Username", "GivenName", "FamilyName", "DisplayName", "Mail", "Aliases", "Phone", "NoticeMail", "DN", "Birth",
			"Number":
			v.SetString(secret)
		}
	case reflect.Slice:
		for i := range v.Len() {
			name(v.Index(i), field, secret)
		}
	case reflect.Pointer:
		name(v.Elem(), field, secret)
	case reflect.Struct:
		for i := range v.NumField() {
			name(v.Field(i), v.Type().Field(i).Name, secret)
		}
	}
}
