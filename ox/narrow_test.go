package ox

import (
	"bytes"
	"io"
	"net/http"
	"reflect"
	"testing"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// TestNarrowStructsAreOfUsers: what is read of listed users are elements of users, of
// the same types, in the order of the schema.
func TestNarrowStructsAreOfUsers(t *testing.T) {
	t.Parallel()
	whole := reflect.TypeFor[oxuser.User]()
	at := map[string]int{}
	for i := range whole.NumField() {
		at[whole.Field(i).Tag.Get("xml")] = i
	}
	value := func(t reflect.Type) reflect.Kind {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		return t.Kind()
	}
	for _, narrow := range []reflect.Type{reflect.TypeFor[listedUser](), reflect.TypeFor[placedUser]()} {
		last := -1
		for i := range narrow.NumField() {
			f := narrow.Field(i)
			j, ok := at[f.Tag.Get("xml")]
			if !ok || value(whole.Field(j).Type) != value(f.Type) || whole.Field(j).Tag != f.Tag {
				t.Errorf("%s.%s is no field of a user", narrow, f.Name)
				continue
			}
			if j < last {
				t.Errorf("%s.%s comes too late", narrow, f.Name)
			}
			last = j
		}
	}
}

// TestUsersAreAskedForByTheirIDs: the narrow request is, byte for byte, the generated one.
func TestUsersAreAskedForByTheirIDs(t *testing.T) {
	t.Parallel()
	c, auth := &oxuser.Context{Id: new(int32(7))}, &oxuser.Credentials{Login: new("a"), Password: new("b")}
	want, err := soap.EncodeRequest(oxuser.OpGetMultipleData, &oxuser.GetMultipleData{Ctx: c, Auth: auth,
		Users: []*oxuser.User{UserRef{ID: 3}.to(), UserRef{ID: 40}.to()}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := soap.EncodeRequest(oxuser.OpGetMultipleData, &getUsers{Ctx: c, Auth: auth,
		Users: []listedUser{{ID: 3}, {ID: 40}}})
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}

// TestPlacesAreThoseOfWholeUsers: a user who is read narrowly is where, and called what,
// he is when read as a whole.
func TestPlacesAreThoseOfWholeUsers(t *testing.T) {
	t.Parallel()
	user := &oxuser.User{Id: new(int32(5)), Name: new("zoe"), Display_name: new("Zoë Müller"), Given_name: new("Zoë"),
		Sur_name: new("Müller"), PrimaryEmail: new("zoe@s.example"), Email1: new("z@s.example"),
		Aliases: []string{"zoe@s.example", "z@s.example"}, Contextadmin: new(false), Language: new("de_DE")}
	all := func(change func(*oxuser.User)) *oxuser.User {
		u := *user
		change(&u)
		return &u
	}
	list := []*oxuser.User{
		user,
		all(func(u *oxuser.User) { u.Mailenabled = new(false) }),
		all(func(u *oxuser.User) { u.Mailenabled, u.Contextadmin = new(true), new(true) }),
		all(func(u *oxuser.User) { u.Given_name, u.Sur_name, u.PrimaryEmail = nil, nil, new("") }),
		{Id: new(int32(6))},
	}
	b, err := soap.EncodeResponse(oxuser.OpGetMultipleData, &oxuser.GetMultipleDataResponse{Return_: list})
	if err != nil {
		t.Fatal(err)
	}
	c, err := soap.NewClient("http://canned/webservices", &soap.Options{HTTPClient: &http.Client{Transport: answer(b)}})
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for u, err := range soap.Returns[placedUser](t.Context(), c, oxuser.OpGetMultipleData, &getUsers{}) {
		if err != nil {
			t.Fatal(err)
		}
		want := placeOf(7, userFrom(list[i]))
		if got := placeFrom(7, u); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		i++
	}
	if i != len(list) {
		t.Errorf("%d users of %d", i, len(list))
	}
}

// answer is what every request gets.
type answer []byte

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/xml; charset=UTF-8"}},
		Body: io.NopCloser(bytes.NewReader(a))}, nil
}
