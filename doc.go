// Package schoolmail keeps a school authority's accounts, Open-Xchange places
// and mailboxes in step with what the school administration exports.
//
// It holds the vocabulary that the other packages share, a planner, and Apply.
// Data flows in one direction:
//
//	export files --escada--> Delivery ─┐
//	UCS LDAP ------ucs-----> Accounts ─┼─ NewPlan(policy, state, delivery, day) ──> Plan
//	Open-Xchange --ox------> Places ───┘                                            │ read, approve
//	                                                                                ▼
//	          Directory, Groupware, Mailstore, Notifier  <── Apply(ctx, plan, ports)
//	             ucs        ox         dovecot
//
// # Planning
//
// [NewPlan] is a pure function. It matches records with accounts by
// [RecordKey], decides about the life of each account, names newcomers, finds
// everybody a context that their population allows, and holds back what is
// suspiciously much. The result, a [Plan], is data: [Plan.Encode] stores it,
// [Plan.WriteText] reads it to an operator, [DecodePlan] takes it up again.
//
// What the planner promises:
//
//   - No context ever holds more than its capacity, at no point of the plan,
//     with people counted twice while a transfer copies them.
//   - Whoever is where they are allowed stays; the number of transfers is the
//     smallest possible. One more or one less person moves nobody else.
//   - Planning again after applying finds nothing to do.
//   - A person in an unreadable row is present. Absence counts only in a
//     delivery that is declared full and is complete, and a school that
//     delivers less than half of its people, or of however few nobody, counts
//     as not delivered.
//   - Nobody is deactivated without a notice at least 56 days old; who returns
//     gets the same account, address and mailbox.
//   - User names and addresses are unique, and never given to somebody else.
//   - Leavers, deactivations, purges, transfers, and changes of name and school
//     are limited per school and district ([Guards]). What is too much is held
//     back, visibly.
//
// # Applying
//
// [Apply] carries a plan out over four small interfaces ([Directory],
// [Groupware], [Mailstore], [Notifier]) and writes a [Journal] before and after
// each outside effect. It can be stopped at any point: observe, plan and apply
// again, and only what is missing is done. [NewUndo] makes the plan that takes
// back what a plan has done, as far as that can be taken back.
//
// Do not build a [Plan] by hand, and do not change one: Apply trusts its order.
package schoolmail
