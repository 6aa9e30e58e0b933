package schoolmail

import "context"

// Action is one of the structs below; the set is closed. Each says by itself
// what it does, so that a new one does not compile until it has said so.
type Action interface {
	Kind() Kind
	// states returns the account before and after; nil: there is none.
	states() (before, after *Account)
	// move returns the contexts between or in which it takes place; 0: none.
	move() (from, to ContextID)
	// takes returns the context in which it takes a further seat, 0 for none.
	takes() ContextID
	// frees returns the context in which a seat gets free before anybody moves, 0
	// for none.
	frees() ContextID
	// head returns under which school and role guards count a step of the action.
	head(s *Step) headcount
	// leaves returns the context in which a seat is free once it is done, 0 for none.
	leaves() ContextID
	// nature says what sort of action it is.
	nature() nature
	// guards returns the guards on changes that count a step of the action.
	guards() guardSet
	// counts returns the guard that counts a step of the action by a mark that is put
	// before anything else is done; "" if there is none.
	counts() string
	// edit returns the action with the accounts before and after it edited.
	edit(before, after func(*Account)) Action
	// forbidden says why it would do on a day what no plan does, or "".
	forbidden(now Date) string
	// carryOut does a step of the action.
	carryOut(ctx context.Context, a *applier, s *Step) error
	// undo adds to u what takes a step of the action back, and returns the
	// account after it, or why there is nothing.
	undo(u *undoer, cur Account, s *Step) (Account, string)
	// fields writes what the action consists of.
	fields(o *object)
}

// nature says what sort of action something is.
type nature struct {
	one, many string // how it reads in a summary
	destroys  bool   // data or access goes away
	opens     bool   // comes first among the steps of a person, whatever is held back
	closes    bool   // comes last in a plan
	kept      string // why an undo leaves it as it is; empty: it takes it back
	// copies: after a failure somebody may sit in the new place all the same.
	copies bool
	// renames: the account may have another user name afterwards.
	renames bool
	// withAccount: no plan does it but before the account goes.
	withAccount bool
	// beside: the account is as the step before has left it, but for a mark.
	beside bool
	// forgets: it takes away the old copy that the account remembers.
	forgets bool
}

// leadsTo returns the context into which an action puts a user, or that it makes.
func leadsTo(a Action) ContextID {
	_, to := a.move()
	return to
}

// ownHead counts a step where it says that the person is.
func ownHead(s *Step) headcount { return headcount{s.School, s.Role} }

// Kind names a sort of action.
type Kind string

// The kinds.
const (
	KindCreateContext Kind = "create-context"
	KindCancelNotice  Kind = "cancel-notice"
	KindReactivate    Kind = "reactivate"
	KindChange        Kind = "change"
	KindRepair        Kind = "repair"
	KindPurge         Kind = "purge"
	KindDropCopy      Kind = "drop-copy"
	KindTransfer      Kind = "transfer"
	KindRename        Kind = "rename"
	KindCreate        Kind = "create"
	KindNotice        Kind = "notice"
	KindRemind        Kind = "remind"
	KindDeactivate    Kind = "deactivate"
)

// actions has an empty action of each kind, in the order of a plan's summary.
var actions = [...]Action{CreateContext{}, CreateAccount{}, ChangeAccount{}, Rename{}, TransferContext{}, DropCopy{},
	SendNotice{}, SendReminder{},
	CancelNotice{}, Deactivate{}, Reactivate{}, RepairPlace{}, Purge{}}

// Kinds returns all kinds in the order of a plan's summary.
func Kinds() []Kind {
	ks := make([]Kind, len(actions))
	for i, a := range actions {
		ks[i] = a.Kind()
	}
	return ks
}

// CreateContext makes an OX context that the policy declares.
type CreateContext struct {
	Spec ContextSpec `json:"spec"`
}

// Kind implements Action.
func (CreateContext) Kind() Kind                        { return KindCreateContext }
func (CreateContext) states() (*Account, *Account)      { return nil, nil }
func (a CreateContext) move() (from, to ContextID)      { return 0, a.Spec.ID }
func (CreateContext) takes() ContextID                  { return 0 }
func (CreateContext) frees() ContextID                  { return 0 }
func (CreateContext) head(s *Step) headcount            { return ownHead(s) }
func (CreateContext) leaves() ContextID                 { return 0 }
func (CreateContext) guards() guardSet                  { return 0 }
func (CreateContext) counts() string                    { return "" }
func (a CreateContext) edit(_, _ func(*Account)) Action { return a }
func (CreateContext) nature() nature {
	return nature{one: "context to create", many: "contexts to create", kept: "a context that was made stays"}
}
func (CreateContext) undo(_ *undoer, cur Account, _ *Step) (Account, string) { return cur, "" }

// CreateAccount makes the directory account (pending), the place in OX, the
// mailbox, and then sets the account active. Resume: an earlier run was
// interrupted and the account exists as pending.
type CreateAccount struct {
	Account    Account `json:"account"`
	Access     string  `json:"access"`
	Resume     bool    `json:"resume,omitempty"`
	SeatExists bool    `json:"seat_exists,omitempty"` // the interrupted run made the user in OX already
}

// Kind implements Action.
func (CreateAccount) Kind() Kind                     { return KindCreate }
func (a CreateAccount) states() (*Account, *Account) { return nil, &a.Account }
func (a CreateAccount) move() (from, to ContextID)   { return 0, a.Account.Context }

func (a CreateAccount) takes() ContextID {
	if a.SeatExists {
		return 0
	}
	return a.Account.Context
}

func (CreateAccount) frees() ContextID       { return 0 }
func (CreateAccount) head(s *Step) headcount { return ownHead(s) }
func (CreateAccount) leaves() ContextID      { return 0 }
func (CreateAccount) guards() guardSet       { return 0 }
func (CreateAccount) counts() string         { return "" }
func (a CreateAccount) edit(_, after func(*Account)) Action {
	after(&a.Account)
	return a
}
func (CreateAccount) nature() nature {
	return nature{one: "account to create", many: "accounts to create",
		kept: "an account that was made stays until its record is gone"}
}
func (CreateAccount) undo(_ *undoer, cur Account, _ *Step) (Account, string) { return cur, "" }

// ChangeAccount brings names, memberships and contact data up to date in the
// directory and in OX.
type ChangeAccount struct {
	Before Account  `json:"before"`
	After  Account  `json:"after"`
	Fields []string `json:"fields"` // what differs
	Access string   `json:"access"`
	// the person's user is in After.Context already, and only the directory does not say so
	SeatExists bool `json:"seat_exists,omitempty"`
	// the person had a user, which is missing, and gets another, an empty one
	Anew bool `json:"anew,omitempty"`
}

// Kind implements Action.
func (ChangeAccount) Kind() Kind                     { return KindChange }
func (a ChangeAccount) states() (*Account, *Account) { return &a.Before, &a.After }
func (a ChangeAccount) move() (from, to ContextID)   { return 0, a.After.Context }

func (a ChangeAccount) takes() ContextID {
	if a.SeatExists || a.Before.Context == a.After.Context && !a.Anew {
		return 0
	}
	return a.After.Context
}

func (ChangeAccount) frees() ContextID { return 0 }

// head is where the person was.
func (a ChangeAccount) head(s *Step) headcount {
	if len(a.Before.Memberships) > 0 {
		return headcount{a.Before.Memberships[0].School, a.Before.Role}
	}
	return ownHead(s)
}

func (ChangeAccount) leaves() ContextID  { return 0 }
func (a ChangeAccount) guards() guardSet { return guardsOn(&a.Before, &a.After, a.Fields) }

// counts: who had no user any more is counted as well as what changes.
func (a ChangeAccount) counts() string {
	if a.Anew {
		return guardRepairs
	}
	return ""
}

func (a ChangeAccount) edit(before, after func(*Account)) Action {
	before(&a.Before)
	after(&a.After)
	return a
}
func (ChangeAccount) nature() nature {
	return nature{one: "account to change", many: "accounts to change"}
}

// RepairPlace makes the user in OX (or its data there) as the directory says,
// because it is missing or differs. Account has the mark that the directory gets
// before. With Restore the missing user is copied back from the old copy that
// Account.Previous names; that copy is then kept for another grace from the day in
// Account.Previous.Since.
type RepairPlace struct {
	Account Account `json:"account"`
	Access  string  `json:"access"`
	Missing bool    `json:"missing"` // the user does not exist in its context
	Restore bool    `json:"restore,omitempty"`
	Found   Place   `json:"found,omitzero"` // what the user is like, unless it is missing
}

// Kind implements Action.
func (RepairPlace) Kind() Kind                     { return KindRepair }
func (a RepairPlace) states() (*Account, *Account) { return &a.Account, &a.Account }
func (a RepairPlace) move() (from, to ContextID)   { return 0, a.Account.Context }

func (a RepairPlace) takes() ContextID {
	if !a.Missing {
		return 0
	}
	return a.Account.Context
}

func (RepairPlace) frees() ContextID       { return 0 }
func (RepairPlace) head(s *Step) headcount { return ownHead(s) }
func (RepairPlace) leaves() ContextID      { return 0 }
func (RepairPlace) guards() guardSet       { return 0 }

// counts: what is copied back from the old copy is on somebody's word.
func (a RepairPlace) counts() string {
	if a.Restore {
		return ""
	}
	return guardRepairs
}

func (a RepairPlace) edit(_, after func(*Account)) Action {
	after(&a.Account)
	return a
}
func (RepairPlace) nature() nature {
	return nature{one: "user to repair in OX", many: "users to repair in OX",
		kept: "what was made as the directory says stays so"}
}
func (RepairPlace) undo(_ *undoer, cur Account, _ *Step) (Account, string) { return cur, "" }

// TransferContext moves a person with all data into another context. After has
// the new context and remembers the old copy in Previous.
type TransferContext struct {
	Before     Account `json:"before"`
	After      Account `json:"after"`
	Access     string  `json:"access"`
	KeepCopy   bool    `json:"keep_copy"`             // the old copy stays for the grace
	OldCopy    UserID  `json:"old_copy"`              // OX id in the old context
	SeatExists bool    `json:"seat_exists,omitempty"` // an interrupted run left its copy in the target already
}

// Kind implements Action.
func (TransferContext) Kind() Kind                     { return KindTransfer }
func (a TransferContext) states() (*Account, *Account) { return &a.Before, &a.After }
func (a TransferContext) move() (from, to ContextID)   { return a.Before.Context, a.After.Context }

func (a TransferContext) takes() ContextID {
	if a.SeatExists {
		return 0
	}
	return a.After.Context
}

func (TransferContext) frees() ContextID       { return 0 }
func (a TransferContext) head(*Step) headcount { return leaving(a.Before.Context, a.Before.Role) }

// leaves is the old context, unless the copy stays for the grace.
func (a TransferContext) leaves() ContextID {
	if a.KeepCopy {
		return 0
	}
	return a.Before.Context
}

func (TransferContext) guards() guardSet { return 0 }
func (TransferContext) counts() string   { return "" }
func (a TransferContext) edit(before, after func(*Account)) Action {
	before(&a.Before)
	after(&a.After)
	return a
}
func (TransferContext) nature() nature {
	return nature{one: "person to transfer to another context", many: "people to transfer to another context",
		copies: true}
}

// DropCopy removes the old copy of a transfer after its grace, as long as the
// user stands in the context where the person lives.
type DropCopy struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
	// WithAccount: the deactivated account is purged by a later step of the plan,
	// and no copy outlives it, even if it is the last one.
	WithAccount bool `json:"with_account,omitempty"`
	// Leftover, if not nil, is what is removed instead: the copy of a transfer that
	// was cut off and is not wanted any more.
	Leftover *Leftover `json:"leftover,omitempty"`
}

// Kind implements Action.
func (DropCopy) Kind() Kind                     { return KindDropCopy }
func (a DropCopy) states() (*Account, *Account) { return &a.Before, &a.After }
func (a DropCopy) move() (from, to ContextID)   { return a.frees(), 0 }
func (DropCopy) takes() ContextID               { return 0 }

// frees is the context of the copy.
func (a DropCopy) frees() ContextID {
	if a.Leftover != nil {
		return a.Leftover.Context
	}
	return a.Before.Previous.Context
}

func (a DropCopy) head(*Step) headcount { return leaving(a.frees(), a.Before.Role) }
func (a DropCopy) leaves() ContextID    { return a.frees() }
func (DropCopy) guards() guardSet       { return 0 }

// counts: a copy that goes with its account is counted there.
func (a DropCopy) counts() string {
	if a.WithAccount {
		return ""
	}
	return guardCopies
}

func (a DropCopy) edit(before, after func(*Account)) Action {
	before(&a.Before)
	after(&a.After)
	return a
}
func (a DropCopy) nature() nature {
	return nature{one: "old copy to remove after a transfer", many: "old copies to remove after a transfer",
		destroys: true,
		kept:     "the copy is deleted for ever", withAccount: a.WithAccount, forgets: a.Leftover == nil,
		beside: a.Leftover != nil}
}
func (DropCopy) undo(_ *undoer, cur Account, _ *Step) (Account, string) { return cur, "" }

// SendNotice tells a leaver when the mailbox will be deactivated, and records it.
type SendNotice struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
	Due    Date    `json:"due"` // first possible day of the deactivation
}

// Kind implements Action.
func (SendNotice) Kind() Kind                     { return KindNotice }
func (a SendNotice) states() (*Account, *Account) { return &a.Before, &a.After }
func (SendNotice) move() (from, to ContextID)     { return 0, 0 }
func (SendNotice) takes() ContextID               { return 0 }
func (SendNotice) frees() ContextID               { return 0 }
func (SendNotice) head(s *Step) headcount         { return ownHead(s) }
func (SendNotice) leaves() ContextID              { return 0 }
func (SendNotice) guards() guardSet               { return 0 }
func (SendNotice) counts() string                 { return "" }
func (a SendNotice) edit(before, after func(*Account)) Action {
	before(&a.Before)
	after(&a.After)
	return a
}
func (SendNotice) nature() nature {
	return nature{one: "leaver to notify", many: "leavers to notify", closes: true}
}

// SendReminder tells a leaver again when the mailbox will be deactivated, and
// records it.
type SendReminder struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
	Due    Date    `json:"due"`  // first possible day of the deactivation
	Days   int     `json:"days"` // the reminder of so many days before
}

// Kind implements Action.
func (SendReminder) Kind() Kind                     { return KindRemind }
func (a SendReminder) states() (*Account, *Account) { return &a.Before, &a.After }
func (SendReminder) move() (from, to ContextID)     { return 0, 0 }
func (SendReminder) takes() ContextID               { return 0 }
func (SendReminder) frees() ContextID               { return 0 }
func (SendReminder) head(s *Step) headcount         { return ownHead(s) }
func (SendReminder) leaves() ContextID              { return 0 }
func (SendReminder) guards() guardSet               { return 0 }
func (SendReminder) counts() string                 { return "" }
func (a SendReminder) edit(before, after func(*Account)) Action {
	before(&a.Before)
	after(&a.After)
	return a
}
func (SendReminder) nature() nature {
	return nature{one: "leaver to remind", many: "leavers to remind", closes: true,
		kept: "a reminder that was sent stays sent"}
}
func (SendReminder) undo(_ *undoer, cur Account, _ *Step) (Account, string) { return cur, "" }

// CancelNotice takes a leaver's notice back.
type CancelNotice struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
}

// Kind implements Action.
func (CancelNotice) Kind() Kind                     { return KindCancelNotice }
func (a CancelNotice) states() (*Account, *Account) { return &a.Before, &a.After }
func (CancelNotice) move() (from, to ContextID)     { return 0, 0 }
func (CancelNotice) takes() ContextID               { return 0 }
func (CancelNotice) frees() ContextID               { return 0 }
func (CancelNotice) head(s *Step) headcount         { return ownHead(s) }
func (CancelNotice) leaves() ContextID              { return 0 }
func (CancelNotice) guards() guardSet               { return 0 }
func (CancelNotice) counts() string                 { return "" }
func (a CancelNotice) edit(before, after func(*Account)) Action {
	before(&a.Before)
	after(&a.After)
	return a
}
func (CancelNotice) nature() nature {
	return nature{one: "notice to take back", many: "notices to take back", opens: true,
		kept: "a notice that was cancelled is not sent again: if the record is gone, a new one is"}
}
func (CancelNotice) undo(_ *undoer, cur Account, _ *Step) (Account, string) { return cur, "" }

// Deactivate closes account and mailbox; all data stays.
type Deactivate struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
}

// Kind implements Action.
func (Deactivate) Kind() Kind                     { return KindDeactivate }
func (a Deactivate) states() (*Account, *Account) { return &a.Before, &a.After }
func (Deactivate) move() (from, to ContextID)     { return 0, 0 }
func (Deactivate) takes() ContextID               { return 0 }
func (Deactivate) frees() ContextID               { return 0 }
func (Deactivate) head(s *Step) headcount         { return ownHead(s) }
func (Deactivate) leaves() ContextID              { return 0 }
func (Deactivate) guards() guardSet               { return 0 }
func (Deactivate) counts() string                 { return "" }
func (a Deactivate) edit(before, after func(*Account)) Action {
	before(&a.Before)
	after(&a.After)
	return a
}
func (Deactivate) nature() nature {
	return nature{one: "account to deactivate", many: "accounts to deactivate", destroys: true, closes: true}
}

// Reactivate opens a deactivated account again.
type Reactivate struct {
	Before Account `json:"before"`
	After  Account `json:"after"`
	Access string  `json:"access"`
}

// Kind implements Action.
func (Reactivate) Kind() Kind                     { return KindReactivate }
func (a Reactivate) states() (*Account, *Account) { return &a.Before, &a.After }
func (Reactivate) move() (from, to ContextID)     { return 0, 0 }
func (Reactivate) takes() ContextID               { return 0 }
func (Reactivate) frees() ContextID               { return 0 }
func (Reactivate) head(s *Step) headcount         { return ownHead(s) }
func (Reactivate) leaves() ContextID              { return 0 }
func (Reactivate) guards() guardSet               { return 0 }
func (Reactivate) counts() string                 { return "" }
func (a Reactivate) edit(before, after func(*Account)) Action {
	before(&a.Before)
	after(&a.After)
	return a
}
func (Reactivate) nature() nature {
	return nature{one: "account to open again", many: "accounts to open again", opens: true,
		kept: "who came back is not shut out again"}
}
func (Reactivate) undo(_ *undoer, cur Account, _ *Step) (Account, string) { return cur, "" }

// Purge removes account, OX user and mail for ever and reserves the names.
type Purge struct {
	Account Account `json:"account"`
	UserID  UserID  `json:"user_id"` // OX id; 0: no user found
}

// Kind implements Action.
func (Purge) Kind() Kind                     { return KindPurge }
func (a Purge) states() (*Account, *Account) { return &a.Account, nil }
func (a Purge) move() (from, to ContextID)   { return a.Account.Context, 0 }
func (Purge) takes() ContextID               { return 0 }

// frees is the context of the user, if there is one.
func (a Purge) frees() ContextID {
	if a.UserID == 0 {
		return 0
	}
	return a.Account.Context
}

func (Purge) head(s *Step) headcount { return ownHead(s) }
func (a Purge) leaves() ContextID    { return a.frees() }
func (Purge) guards() guardSet       { return 0 }
func (Purge) counts() string         { return "" }
func (a Purge) edit(before, _ func(*Account)) Action {
	before(&a.Account)
	return a
}
func (Purge) nature() nature {
	return nature{one: "account to purge for ever", many: "accounts to purge for ever", destroys: true,
		kept: "the account is deleted for ever"}
}
func (Purge) undo(_ *undoer, cur Account, _ *Step) (Account, string) { return cur, "" }
