package ox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// userServer knows users by id and answers listAll and getMultipleData as OX
// does: one unknown id fails the whole call.
func userServer(t testing.TB, listed []int32, gone map[int32]bool, delay time.Duration, under *gauge) *fakeServer {
	return &fakeServer{answer: func(op *soap.Operation, body []byte, _ *http.Request) (any, error, bool) {
		defer under.enter()()
		time.Sleep(delay)
		switch op {
		case oxuser.OpListAll:
			out := &oxuser.ListAllResponse{}
			for _, id := range listed {
				out.Return_ = append(out.Return_, &oxuser.User{Id: new(id)})
			}
			return out, nil, true
		case oxuser.OpGetMultipleData:
			req := decodeRequest(t, op, body).(*oxuser.GetMultipleData)
			out := &oxuser.GetMultipleDataResponse{}
			for _, u := range req.Users {
				if gone[*u.Id] {
					return nil, fakeFault{"NoSuchUserException", "No such user(s) in context 7; exceptionId 1-2"}, true
				}
				out.Return_ = append(out.Return_, &oxuser.User{Id: u.Id, Name: new(fmt.Sprintf("u%d", *u.Id))})
			}
			return out, nil, true
		}
		return nil, nil, false
	}}
}

func TestAllUsers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ids := make([]int32, 100)
		for i := range ids {
			ids[i] = int32(i + 2)
		}
		gone := map[int32]bool{5: true, 6: true, 70: true, 101: true}
		var under gauge
		f := userServer(t, ids, gone, 25*time.Millisecond, &under)
		users := newFake(t, f, &Options{ChunkSize: 10}).Context(7, testAdmin).Users
		got, err := Collect(users.All(t.Context(), nil))
		if err != nil {
			t.Fatal(err)
		}
		var want []schoolmail.UserID
		for _, id := range ids {
			if !gone[id] {
				want = append(want, schoolmail.UserID(id))
			}
		}
		have := make([]schoolmail.UserID, len(got))
		for i, u := range got {
			have[i] = u.ID
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Error(diff)
		}
		if n := under.most.Load(); n != 2 {
			t.Errorf("%d requests at once, want 2: the next chunk is under way while one is decoded", n)
		}
	})
}

func TestListsStopOnBreak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ids := make([]int32, 100)
		for i := range ids {
			ids[i] = int32(i + 2)
		}
		var under gauge
		f := userServer(t, ids, nil, 0, &under)
		users := newFake(t, f, &Options{ChunkSize: 5}).Context(7, testAdmin).Users
		n := 0
		for _, err := range users.All(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 8 {
				break
			}
		}
		synctest.Wait() // goroutines that go on would be seen here
		if len(f.requests) > 4 {
			t.Errorf("%d requests for 8 users in chunks of 5", len(f.requests))
		}
		if under.now.Load() != 0 {
			t.Error("a request is still under way")
		}
	})
}

func TestListsYieldOneErrorAndEnd(t *testing.T) {
	t.Parallel()
	f := &fakeServer{answer: func(op *soap.Operation, _ []byte, _ *http.Request) (any, error, bool) {
		if op == oxuser.OpGetMultipleData {
			return nil, fakeFault{"StorageException", "disk on fire; exceptionId 1-2"}, true
		}
		return &oxuser.ListAllResponse{Return_: []*oxuser.User{{Id: new(int32(3))}, {Id: new(int32(4))}}}, nil, true
	}}
	users := newFake(t, f, &Options{ChunkSize: 1}).Context(7, testAdmin).Users
	n := 0
	for _, err := range users.All(t.Context(), nil) {
		if !errors.Is(err, ErrStorage) {
			t.Errorf("got %v", err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d values", n)
	}
	if got, err := Collect(users.All(t.Context(), nil)); got != nil || err == nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestRepeatedListHasNoDoubles: an answer that breaks off after some users is
// read again from the beginning.
func TestRepeatedListHasNoDoubles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		f := &fakeServer{}
		cut := roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := f.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			body, _ := io.ReadAll(resp.Body)
			if tries.Add(1) < 3 {
				body = body[:len(body)-40]
			}
			return response(resp.StatusCode, "text/xml", body), nil
		})
		f.answer = func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
			return &oxuser.ListAllResponse{Return_: []*oxuser.User{{Id: new(int32(3))}, {Id: new(int32(4))}}}, nil, true
		}
		c, err := New([]string{"http://ox/webservices"}, testAdmin, &Options{HTTPClient: &http.Client{Transport: cut}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Collect(c.Context(7, testAdmin).Users.IDs(t.Context(), nil))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, []schoolmail.UserID{3, 4}) {
			t.Errorf("got %v", got)
		}
	})
}

// TestNothingOfOnePassesToTheNext: who stands behind somebody of whom everything is known has nothing of that, and
// takes nothing of it away.
func TestNothingOfOnePassesToTheNext(t *testing.T) {
	t.Parallel()
	full := func(id int32) *oxuser.User {
		u := new(oxuser.User)
		setSample(reflect.ValueOf(u).Elem(), 0)
		u.Id, u.Aliases = &id, []string{fmt.Sprint("a", id), fmt.Sprint("b", id)}
		u.UserAttributes.Entries[0].Value.Entries[0].Value = new(fmt.Sprint("c", id))
		u.Image1 = []byte{byte(id)}
		return u
	}
	list := []*oxuser.User{full(2), {Id: new(int32(3))}, full(4), {Id: new(int32(5)), Aliases: []string{"d"}}}
	f := &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
		return &oxuser.GetMultipleDataResponse{Return_: list}, nil, true
	}}
	got, err := Collect(newFake(t, f, nil).Context(7, testAdmin).Users.Load(t.Context(), []schoolmail.UserID{2, 3, 4, 5}))
	if err != nil {
		t.Fatal(err)
	}
	var want []User
	for _, u := range list {
		want = append(want, userFrom(u))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNobodyIsReadTwice: an answer that tells somebody twice is none.
func TestNobodyIsReadTwice(t *testing.T) {
	t.Parallel()
	f := &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
		return &oxuser.GetMultipleDataResponse{Return_: []*oxuser.User{{Id: new(int32(3))}, {Id: new(int32(4))},
			{Id: new(int32(3))}}}, nil, true
	}}
	got, err := Collect(newFake(t, f, nil).Context(7, testAdmin).Users.Load(t.Context(), []schoolmail.UserID{3, 4}))
	if !errors.Is(err, ErrProtocol) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestListedWithoutID: a list of users without ids is no list of nobody.
func TestListedWithoutID(t *testing.T) {
	t.Parallel()
	var under gauge
	f := userServer(t, nil, map[int32]bool{0: true}, 0, &under)
	answer := f.answer
	f.answer = func(op *soap.Operation, body []byte, r *http.Request) (any, error, bool) {
		if op == oxuser.OpListAll {
			return &oxuser.ListAllResponse{Return_: []*oxuser.User{{Name: new("anna")}, {Name: new("berta")}}}, nil, true
		}
		return answer(op, body, r)
	}
	got, err := Collect(newFake(t, f, nil).Context(7, testAdmin).Users.All(t.Context(), nil))
	if !errors.Is(err, ErrProtocol) {
		t.Errorf("%v, %v", got, err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestChunkedLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ids := make([]int, 100)
		var under gauge
		load := func(ctx context.Context, ids []int) ([]int, error) {
			defer under.enter()()
			select {
			case <-time.After(time.Second):
				return ids, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		for range chunked(t.Context(), ids, 7, load) {
			break
		}
		if n := under.now.Load(); n != 0 {
			t.Errorf("%d loads go on after the loop", n)
		}
	})
}
