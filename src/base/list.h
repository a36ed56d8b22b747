/* Doubly linked lists whose nodes are embedded in their owners.  A node that is in no list points
 * at itself, so that removing it twice is harmless and `list_is_linked` can be asked. */
#ifndef RINGLET_BASE_LIST_H
#define RINGLET_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
	struct list_node *previous, *next;
};

/* The head of a list is a node of the same shape that belongs to no owner. */
struct list {
	struct list_node head;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void list_node_init(struct list_node *node)
{
	node->previous = node->next = node;
}

static inline void list_init(struct list *list)
{
	list_node_init(&list->head);
}

static inline bool list_is_empty(const struct list *list)
{
	return list->head.next == &list->head;
}

static inline bool list_is_linked(const struct list_node *node)
{
	return node->next != node;
}

static inline void list_append(struct list *list, struct list_node *node)
{
	node->previous = list->head.previous;
	node->next = &list->head;
	list->head.previous->next = node;
	list->head.previous = node;
}

static inline void list_prepend(struct list *list, struct list_node *node)
{
	node->previous = &list->head;
	node->next = list->head.next;
	list->head.next->previous = node;
	list->head.next = node;
}

static inline void list_remove(struct list_node *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	list_node_init(node);
}

/* NULL when the list is empty. */
static inline struct list_node *list_first(const struct list *list)
{
	return list_is_empty(list) ? NULL : list->head.next;
}

static inline struct list_node *list_take_first(struct list *list)
{
	struct list_node *node = list_first(list);

	if (node)
		list_remove(node);
	return node;
}

/* Moves every node of `from` to the empty list `to`. */
static inline void list_move_all(struct list *to, struct list *from)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	to->head = from->head;
	to->head.next->previous = &to->head;
	to->head.previous->next = &to->head;
	list_init(from);
}

#define list_for_each(node, list)                                                                  \
	for (struct list_node *node = (list)->head.next; node != &(list)->head; node = node->next)

/* The node at hand may be removed in the loop. */
#define list_for_each_safe(node, list)                                                             \
	for (struct list_node *node = (list)->head.next, *node##_next = node->next;                \
		node != &(list)->head; node = node##_next, node##_next = node->next)

#endif
