package ox

import (
	"context"
	"iter"
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// Collect gathers what an iterator yields. On an error it returns nothing but
// the error: half a list is worse than none.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// each makes an iterator out of a function that reads a list.
func each[T any](read func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		list, err := read()
		if err != nil {
			var zero T
			yield(zero, err)
			return
		}
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// chunked reads ids in chunks. While the caller works on one chunk the next one
// is under way. It returns only after its goroutines have ended.
func chunked[ID, T any](ctx context.Context, ids []ID, size int,
	load func(context.Context, []ID) ([]T, error)) iter.Seq2[T, error] {
	type chunk struct {
		items []T
		err   error
	}
	return func(yield func(T, error) bool) {
		if len(ids) == 0 {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		start := func(ids []ID) chan chunk {
			ch := make(chan chunk, 1)
			go func() {
				items, err := load(ctx, ids)
				ch <- chunk{items, err}
			}()
			return ch
		}
		rest := ids
		take := func() chan chunk {
			if len(rest) == 0 {
				return nil
			}
			n := min(size, len(rest))
			ch := start(rest[:n])
			rest = rest[n:]
			return ch
		}
		next := take()
		defer func() {
			cancel()
			if next != nil {
				<-next
			}
		}()
		for next != nil {
			this := next
			next = take()
			got := <-this
			if got.err != nil {
				var zero T
				yield(zero, got.err)
				return
			}
			for _, v := range got.items {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// skipMissing loads a chunk of which some may have vanished since their ids
// were read. OX fails the whole call for one missing id and does not say which,
// so the chunk is halved until the missing ones are found.
func skipMissing[ID, T any](ctx context.Context, ids []ID, missing Kind,
	load func(context.Context, []ID) ([]T, error)) ([]T, error) {
	items, err := load(ctx, ids)
	if !is(err, missing) {
		return items, err
	}
	if len(ids) == 1 {
		return nil, nil
	}
	half := len(ids) / 2
	first, err := skipMissing(ctx, ids[:half], missing, load)
	if err != nil {
		return nil, err
	}
	second, err := skipMissing(ctx, ids[half:], missing, load)
	if err != nil {
		return nil, err
	}
	return append(first, second...), nil
}

// UserQuery selects users. The zero query (and a nil one) is all users without
// guests. At most one of Pattern and AliasDomain.
type UserQuery struct {
	// Pattern matches the login name or the display name; "*", "%" and "_" are
	// wildcards. Empty means all.
	Pattern string
	// IgnoreCase matches login names without regard to upper and lower case; then
	// Guests and NoUsers do not count.
	IgnoreCase bool
	// AliasDomain selects the users with an address that ends in this text. It
	// does not go together with anything else here.
	AliasDomain string
	Guests      bool // guests, too
	NoUsers     bool // no ordinary users
	// Length and Offset select a window of the list, ordered by id. Length 0 means
	// all. They need OX 8 and do not work with AliasDomain.
	Length, Offset int
}

// IDs lists the ids of users. A user costs 12 KB in the answer even so (nearly
// all of it xsi:nil), which is read as a stream and not kept; where the members
// of the default group will do, [Groups.Get] of [DefaultGroup] costs 30 bytes
// per user.
func (u *Users) IDs(ctx context.Context, q *UserQuery) iter.Seq2[schoolmail.UserID, error] {
	return each(func() ([]schoolmail.UserID, error) { return u.ids(ctx, q) })
}

func (u *Users) ids(ctx context.Context, q *UserQuery) ([]schoolmail.UserID, error) {
	if q == nil {
		q = &UserQuery{}
	}
	k := u.call("list users", oxuser.OpListAll, "", nil)
	var length, offset *int32
	if q.Length != 0 {
		length, offset = new(int32Of(q.Length)), new(int32Of(q.Offset))
	}
	pattern := q.Pattern
	if pattern == "" {
		pattern = "*"
	}
	var guests, noUsers *bool
	if q.Guests {
		guests = new(true)
	}
	if q.NoUsers {
		noUsers = new(true)
	}
	switch {
	case q.AliasDomain != "":
		k.op, k.req = oxuser.OpListByAliasDomain, &oxuser.ListByAliasDomain{Alias_domain: &q.AliasDomain}
	case q.IgnoreCase:
		k.op, k.req = oxuser.OpListCaseInsensitive, &oxuser.ListCaseInsensitive{Search_pattern: &pattern, Length: length,
			Offset: offset}
	case q.Pattern != "" || q.Length != 0:
		k.op, k.req = oxuser.OpList, &oxuser.List{Search_pattern: &pattern, Include_guests: guests, Exclude_users: noUsers,
			Length: length, Offset: offset}
	default:
		k.req = &oxuser.ListAll{Include_guests: guests, Exclude_users: noUsers}
	}
	ids, err := stream(ctx, u.cc.c, k, func(g *listedUser) schoolmail.UserID { return schoolmail.UserID(g.ID) })
	if err == nil && slices.Contains(ids, 0) { // whom nobody could read afterwards: they would look gone
		return nil, k.otherAnswer()
	}
	return ids, err
}

// All reads the users of the context that a query selects, ordered by id. The ids are read
// first and then the users in chunks, the next chunk being under way while the
// caller works on one. Who vanishes in between is left out.
func (u *Users) All(ctx context.Context, q *UserQuery) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		ids, err := u.ids(ctx, q)
		if err != nil {
			yield(User{}, err)
			return
		}
		slices.Sort(ids) // OX lists in no order
		u.Load(ctx, ids)(yield)
	}
}

// Load reads the users with these ids in chunks. Those who do not exist are
// left out.
func (u *Users) Load(ctx context.Context, ids []schoolmail.UserID) iter.Seq2[User, error] {
	return loadUsers(ctx, u, ids, userFrom, func(v *User) schoolmail.UserID { return v.ID })
}

// loadUsers is Load with another target than [User], of what is read into G.
func loadUsers[G, T any](ctx context.Context, u *Users, ids []schoolmail.UserID,
	convert func(*G) T, idOf func(*T) schoolmail.UserID) iter.Seq2[T, error] {
	return chunked(ctx, ids, u.cc.c.opt.ChunkSize, func(ctx context.Context, ids []schoolmail.UserID) ([]T, error) {
		return skipMissing(ctx, ids, ErrNoSuchUser, func(ctx context.Context, ids []schoolmail.UserID) ([]T, error) {
			req := &getUsers{Users: make([]listedUser, len(ids))}
			for i, id := range ids {
				req.Users[i].ID = int32Of(int(id))
			}
			return loaded(ctx, u.cc.c, u.call("read users", oxuser.OpGetMultipleData, "", req), ids, convert, idOf)
		})
	})
}

// loaded is stream for a call that asks for certain ids. OX answers all of them
// or none; anything else is no answer to this question, and would make somebody
// appear or disappear.
func loaded[ID comparable, G, T any](ctx context.Context, c *Client, k call, asked []ID, convert func(*G) T,
	idOf func(*T) ID) ([]T, error) {
	k.expected = len(asked)
	list, err := stream(ctx, c, k, convert)
	if err != nil {
		return nil, err
	}
	if len(list) > len(asked) {
		return nil, k.otherAnswer()
	}
	seen := make(map[ID]bool, len(asked))
	for _, id := range asked {
		seen[id] = false
	}
	for i := range list {
		id := idOf(&list[i])
		if _, ok := seen[id]; !ok {
			return nil, k.otherAnswer()
		}
		seen[id] = true
	}
	for _, there := range seen {
		if !there {
			return nil, k.otherAnswer()
		}
	}
	return list, nil
}

// otherAnswer is the error of an answer that is about something else than was
// asked for.
func (k *call) otherAnswer() *Error {
	return &Error{Op: k.name, Service: k.op.String(), Context: k.context, Subject: k.subject, Kind: ErrProtocol,
		HTTPStatus: 200,
		Message:    "the answer is not about what was asked for"}
}
