package ox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
)

func yes(context.Context, string) (bool, error) { return true, nil }

var noUser = fakeFault{"NoSuchUserException", "No such user mia in context 7; exceptionId 1-2"}
var displayNameThere = fakeFault{"InvalidDataException", "The displayname is already used; exceptionId 1-2"}
var userThere = fakeFault{"InvalidDataException", "User mia already exists in this context; exceptionId 1-2"}

// script answers create and getData in the order given.
type script struct{ creates, reads []any }

func (s *script) next(list *[]any) (any, error, bool) {
	v := (*list)[0]
	*list = (*list)[1:]
	if err, ok := v.(error); ok {
		return nil, err, true
	}
	return v, nil, true // an int is a status
}

// TestLostAnswerToCreate is settled by looking.
func TestLostAnswerToCreate(t *testing.T) {
	t.Parallel()
	user := &oxuser.User{Id: new(int32(9)), Name: new("mia"), Display_name: new("Mia Lind"), PrimaryEmail: new("mia@s.ch")}
	other := &oxuser.User{Id: new(int32(8)), Name: new("mia"), Display_name: new("Mia Other"),
		PrimaryEmail: new("mia@s.ch")}
	made := &oxuser.CreateResponse{Return_: &oxuser.User{Id: new(int32(9)), Name: new("mia")}}
	found := func(u *oxuser.User) any { return &oxuser.GetDataResponse{Return_: u} }
	lost := io.ErrUnexpectedEOF
	for _, tt := range []struct {
		name           string
		creates, reads []any
		want           error
		id             schoolmail.UserID
	}{
		{"nothing lost", []any{made}, nil, nil, 9},
		{"lost after the work was done", []any{lost}, []any{found(user)}, nil, 9},
		{"lost before it was done", []any{lost, made}, []any{noUser}, nil, 9},
		{"done while we looked", []any{lost, userThere}, []any{noUser, found(user)}, nil, 9},
		{"done while we looked, and its display name is found first", []any{lost, displayNameThere},
			[]any{noUser, found(user)}, nil, 9},
		{"lost twice", []any{lost, lost}, []any{noUser, found(user)}, nil, 9},
		{"bad gateway after the work", []any{502}, []any{found(user)}, nil, 9},
		{"somebody else has the name", []any{lost}, []any{found(other)}, ErrUserExists, 0},
		{"exists, and nothing was lost", []any{userThere}, nil, ErrUserExists, 0},
		{"refused", []any{fakeFault{"InvalidDataException", "The displayname is already used"}}, nil, ErrDisplayNameUsed, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := script{slices.Clone(tt.creates), slices.Clone(tt.reads)}
				f := &fakeServer{answer: func(op *soap.Operation, _ []byte, _ *http.Request) (any, error, bool) {
					if op == oxuser.OpCreate {
						return s.next(&s.creates)
					}
					return s.next(&s.reads)
				}}
				u, err := newFake(t, f, nil).Context(7, testAdmin).Users.Create(t.Context(),
					NewUser{Name: "mia", DisplayName: "Mia Lind", GivenName: "Mia", FamilyName: "Lind", PrimaryEmail: "mia@s.ch",
						Password: "pw"})
				if tt.want == nil && err != nil || tt.want != nil && !errors.Is(err, tt.want) || u.ID != tt.id {
					t.Errorf("got %v, %v; want id %d, %v", u.ID, err, tt.id, tt.want)
				}
				if len(s.creates)+len(s.reads) != 0 {
					t.Errorf("not asked for: %v, %v", s.creates, s.reads)
				}
			})
		})
	}
}

func TestLostAnswerToContextAndGroupCreate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		f := &fakeServer{answer: func(op *soap.Operation, _ []byte, _ *http.Request) (any, error, bool) {
			switch op {
			case oxcontext.OpCreate, oxgroup.OpCreate:
				if calls++; calls%2 == 1 {
					return nil, io.ErrUnexpectedEOF, true
				}
			case oxcontext.OpGetData:
				return nil, fakeFault{"NoSuchContextException", "Context 42 does not exist"}, true
			case oxgroup.OpGetData:
				return nil, fakeFault{"NoSuchGroupException", "No such group"}, true
			}
			return nil, nil, false
		}}
		c := newFake(t, f, nil)
		if _, err := c.Contexts.Create(t.Context(), NewContext{ID: 42, Name: "s",
			Admin: NewUser{Name: "a", DisplayName: "a", GivenName: "a",
				FamilyName: "a", PrimaryEmail: "a@s.ch", Password: "pw"}}); err != nil {
			t.Error(err)
		}
		if _, err := c.Context(42, testAdmin).Groups.Create(t.Context(), Group{Name: "7b", DisplayName: "7b"}); err != nil {
			t.Error(err)
		}
		if calls != 4 {
			t.Errorf("%d creates, want 4", calls)
		}
	})
}

// TestCopySettles: a copy is never repeated blindly, and one that has not
// arrived is not repeated at all, except when two disturbed each other.
func TestCopySettles(t *testing.T) {
	t.Parallel()
	source := &oxuser.GetDataResponse{Return_: &oxuser.User{Id: new(int32(3)), Name: new("mia"),
		Display_name: new("Mia"), PrimaryEmail: new("mia@s.ch")}}
	arrived := &oxuser.GetDataResponse{Return_: &oxuser.User{Id: new(int32(9)), Name: new("mia"),
		Display_name: new("Mia"), PrimaryEmail: new("mia@s.ch")}}
	other := &oxuser.GetDataResponse{Return_: &oxuser.User{Id: new(int32(9)), Name: new("mia"),
		Display_name: new("Mia Other"), PrimaryEmail: new("mia@s.ch")}}
	made := &oxusercopy.CopyUserResponse{Return_: &oxusercopy.User{Id: new(int32(9))}}
	disturbed := fakeFault{"StorageException", "UCP-0003 Categories=ERROR Message='Unexpected problem occurred.'"}
	for _, tt := range []struct {
		name           string
		creates, reads []any
		want           error
	}{
		{"made", []any{made}, []any{source}, nil},
		{"lost, but it has arrived", []any{io.ErrUnexpectedEOF}, []any{source, arrived}, nil},
		{"lost, and it arrives while we look", []any{io.ErrUnexpectedEOF}, []any{source, noUser, noUser, arrived}, nil},
		{"lost, and it never arrives", []any{io.ErrUnexpectedEOF}, []any{source, noUser, noUser, noUser, noUser},
			ErrLostAnswer},
		{"lost in a proxy", []any{504}, []any{source, noUser, arrived}, nil},
		{"a page instead of an answer", []any{500}, []any{source, noUser, arrived}, nil},
		{"lost, and somebody else has the name now", []any{io.ErrUnexpectedEOF}, []any{source, other}, ErrLostAnswer},
		{"somebody took the name in that moment", []any{fakeFault{"UserExistsException",
			"User mia already exists in context 8"}}, []any{source}, ErrUserExists},
		{"another program copied", []any{disturbed, disturbed, made}, []any{source}, nil},
		{"refused", []any{fakeFault{"StorageException", "quota"}}, []any{source}, ErrStorage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := script{slices.Clone(tt.creates), slices.Clone(tt.reads)}
				f := &fakeServer{answer: func(op *soap.Operation, _ []byte, _ *http.Request) (any, error, bool) {
					switch op {
					case oxusercopy.OpCopyUser:
						return s.next(&s.creates)
					case oxuser.OpGetData:
						return s.next(&s.reads)
					case oxuser.OpExists:
						return &oxuser.ExistsResponse{Return_: new(false)}, nil, true
					}
					return nil, nil, false
				}}
				c := newFake(t, f, &Options{CopyWait: 5 * time.Second}) // looks after 0, 1, 3 and 5 s
				id, err := c.CopyUser(t.Context(), "mia", c.Context(7, testAdmin), c.Context(8, testAdmin),
					&CopyOptions{AddressFree: yes})
				if tt.want == nil && (err != nil || id != 9) || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("got %v, %v; want %v", id, err, tt.want)
				}
				if len(s.creates)+len(s.reads) != 0 {
					t.Errorf("not asked for: %v, %v", s.creates, s.reads)
				}
			})
		})
	}
}

// TestLongOperationsHaveTheirOwnTimeout: after it the copy looks for itself.
func TestLongOperationsHaveTheirOwnTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		f := &fakeServer{answer: func(op *soap.Operation, _ []byte, r *http.Request) (any, error, bool) {
			switch op {
			case oxusercopy.OpCopyUser:
				<-r.Context().Done()
				return nil, r.Context().Err(), true
			case oxuser.OpExists:
				return &oxuser.ExistsResponse{Return_: new(false)}, nil, true
			case oxuser.OpGetData:
				if reads++; reads > 1 {
					return nil, noUser, true
				}
				return &oxuser.GetDataResponse{Return_: &oxuser.User{Id: new(int32(3)), Name: new("mia")}}, nil, true
			}
			return nil, nil, false
		}}
		c := newFake(t, f, &Options{LongTimeout: 10 * time.Minute, CopyWait: time.Minute})
		start := time.Now()
		_, err := c.CopyUser(t.Context(), "mia", c.Context(7, testAdmin), c.Context(8, testAdmin),
			&CopyOptions{AddressFree: yes})
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != ErrLostAnswer || !e.Timeout() || e.NotDone {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 11*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// TestNothingIsCopiedBesideACopyInDoubt: a copy whose answer got lost may still
// be at work on the server.
func TestNothingIsCopiedBesideACopyInDoubt(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(r *http.Request) (any, error, bool){
		"reset":    func(*http.Request) (any, error, bool) { return nil, io.ErrUnexpectedEOF, true },
		"proxy":    func(*http.Request) (any, error, bool) { return 504, nil, true },
		"given up": func(r *http.Request) (any, error, bool) { <-r.Context().Done(); return nil, r.Context().Err(), true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const works = 3 * time.Minute // what the server takes for a copy
				var busy gauge
				var here sync.Map // name -> true
				f := &fakeServer{answer: func(op *soap.Operation, body []byte, r *http.Request) (any, error, bool) {
					switch op {
					case oxusercopy.OpCopyUser:
						name := *decodeRequest(t, op, body).(*oxusercopy.CopyUser).User.Name
						leave := busy.enter()
						time.AfterFunc(works, func() { here.Store(name, true); leave() })
						if name == "mia" {
							return lose(r)
						}
						time.Sleep(works)
						return &oxusercopy.CopyUserResponse{Return_: &oxusercopy.User{Id: new(int32(9))}}, nil, true
					case oxuser.OpExists:
						return &oxuser.ExistsResponse{Return_: new(false)}, nil, true
					case oxuser.OpGetData:
						req := decodeRequest(t, op, body).(*oxuser.GetData)
						if _, ok := here.Load(*req.User.Name); *req.Ctx.Id == 8 && !ok {
							return nil, noUser, true
						}
						return &oxuser.GetDataResponse{Return_: &oxuser.User{Id: new(int32(9)), Name: req.User.Name}}, nil, true
					}
					return nil, nil, false
				}}
				c := newFake(t, f, nil)
				copyOf := func(ctx context.Context, name string) error {
					return second(c.CopyUser(ctx, name, c.Context(7, testAdmin), c.Context(8, testAdmin),
						&CopyOptions{AddressFree: yes}))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				if name == "given up" {
					ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
				}
				defer cancel()
				var wg sync.WaitGroup
				wg.Go(func() {
					if err := copyOf(ctx, "mia"); name == "given up" && !errors.Is(err, ErrCanceled) || name != "given up" &&
						err != nil {
						t.Errorf("got %v", err)
					}
				})
				synctest.Wait()
				wg.Go(func() {
					if err := copyOf(t.Context(), "tom"); err != nil {
						t.Error(err)
					}
				})
				wg.Wait()
				if n := busy.most.Load(); n != 1 {
					t.Errorf("%d copies at once", n)
				}
				time.Sleep(works)
			})
		})
	}
}

// TestCopiesOfTheSameAddress: what one copy takes is no longer free for the next.
func TestCopiesOfTheSameAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		taken, copies, locked := false, 0, 0
		f := &fakeServer{answer: func(op *soap.Operation, _ []byte, _ *http.Request) (any, error, bool) {
			time.Sleep(10 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			switch op {
			case oxusercopy.OpCopyUser:
				taken = true
				copies++
				return &oxusercopy.CopyUserResponse{Return_: &oxusercopy.User{Id: new(int32(9))}}, nil, true
			case oxuser.OpExists:
				return &oxuser.ExistsResponse{Return_: new(false)}, nil, true
			case oxuser.OpGetData:
				return &oxuser.GetDataResponse{Return_: &oxuser.User{Id: new(int32(3)), Name: new("mia")}}, nil, true
			}
			return nil, nil, false
		}}
		c := newFake(t, f, &Options{CopyLock: func(context.Context) (func(), error) { locked++; return func() {}, nil }})
		free := func(context.Context, string) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			return !taken, nil
		}
		var refused atomic.Int64
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				err := second(c.CopyUser(t.Context(), "mia", c.Context(schoolmail.ContextID(10+i), testAdmin),
					c.Context(8, testAdmin), &CopyOptions{AddressFree: free}))
				if errors.Is(err, ErrAddressUsed) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if copies != 1 || refused.Load() != 2 || locked != 3 {
			t.Errorf("%d copies of one address, %d refused, locked %d times", copies, refused.Load(), locked)
		}
	})
}

// TestCopyLock: without the lock that programs share nothing is copied.
func TestCopyLock(t *testing.T) {
	t.Parallel()
	f := &fakeServer{}
	c := newFake(t, f, &Options{CopyLock: func(context.Context) (func(), error) { return nil, errors.New("disk full") }})
	err := second(c.CopyUser(t.Context(), "mia", c.Context(7, testAdmin), c.Context(8, testAdmin), nil))
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != ErrCopyConflict || !e.NotDone || len(f.requests) != 0 {
		t.Errorf("got %v after %v", err, f.ops())
	}
}
