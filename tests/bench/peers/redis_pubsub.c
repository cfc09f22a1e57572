/* redis_pubsub: PUBLISH, pipelined, and SUBSCRIBE. Over hiredis. */
#include "tests/bench/peers/peer.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL  "bench.cast"
#define PIPELINE 1024 /* commands without reply in a flood; half of them go in one write */

static bool can(const work_t *work) {
    return work->kind == WORK_FIRE;
}

static bool installed(char *text, size_t size) {
    char version[32];
    if (!site_version("redis-server", "--version", version, sizeof version))
        return false;
    snprintf(text, size, "redis-server %s, hiredis %d.%d.%d", version, HIREDIS_MAJOR, HIREDIS_MINOR,
             HIREDIS_PATCH);
    return true;
}

static bool start(site_t *site, const work_t *work, bool again) {
    (void)work, (void)again;
    site_write(site, "redis.conf",
               "bind 127.0.0.1\nport %d\nsave \"\"\nappendonly no\n"
               "client-output-buffer-limit pubsub 0 0 0\n",
               site_port(site, 0));
    return site_run(site, (const char *[]){"redis-server", "redis.conf", NULL}) &&
           site_await_port(site, 0);
}

static redisContext *dial(role_t *role) {
    redisContext *redis = redisConnect("127.0.0.1", site_port(role->site, 0));
    if (redis && !redis->err)
        return redis;
    role_fails(role, "no connection: %s", redis ? redis->errstr : "no memory");
    if (redis)
        redisFree(redis);
    return NULL;
}

/* --- publisher --- */

typedef struct {
    role_t *role;
    redisContext *redis;
    void *body;
    uint64_t waiting; /* for replies */
} sender_t;

static bool append(sender_t *self) {
    const char *words[] = {"PUBLISH", CHANNEL, self->body};
    const size_t sizes[] = {7, sizeof CHANNEL - 1, self->role->work->size};
    self->waiting++;
    return redisAppendCommandArgv(self->redis, 3, words, sizes) == REDIS_OK;
}

static bool write_out(sender_t *self) {
    int done = 0;
    while (!done)
        if (redisBufferWrite(self->redis, &done) != REDIS_OK)
            return false;
    return true;
}

/* Waits for replies until so many are still to come. */
static bool take_replies(sender_t *self, uint64_t left) {
    for (; self->waiting > left; self->waiting--) {
        void *reply;
        if (redisGetReply(self->redis, &reply) != REDIS_OK)
            return false;
        freeReplyObject(reply);
    }
    return true;
}

static bool send_all(sender_t *self) {
    role_t *role = self->role;
    bool good = true, paced = role->work->rate > 0;
    for (uint64_t i = 0; good && i < role_events(role); i++) {
        while (good && !role_pace(role, i, self->waiting ? self->redis->fd : -1))
            good = take_replies(self, 0);
        role_stamp(role, self->body, i);
        good = good && append(self);
        if (paced)
            good = good && write_out(self);
        else if (self->waiting % (PIPELINE / 2) == 0)
            good = good && write_out(self) &&
                   take_replies(self, self->waiting < PIPELINE ? self->waiting : PIPELINE / 2);
    }
    return good && take_replies(self, 0);
}

static bool publish(role_t *role) {
    sender_t self = {.role = role, .redis = dial(role), .body = calloc(1, role->work->size)};
    bool good = self.redis && self.body;
    while (good && !role_heard(role)) {
        role_probe(role, self.body);
        good = append(&self) && take_replies(&self, 0);
    }
    role_begin(role);
    good = good && (send_all(&self) || role_fails(role, "%s", self.redis->errstr));
    if (self.redis)
        redisFree(self.redis);
    free(self.body);
    return good;
}

/* --- consumer --- */

/* "message", the channel, what was published. */
static void take(role_t *role, const redisReply *reply) {
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
        strcmp(reply->element[0]->str, "message") == 0)
        role_arrived(role, reply->element[2]->str, (size_t)reply->element[2]->len);
}

static bool take_all(role_t *role, redisContext *redis) {
    void *reply;
    while (redisGetReplyFromReader(redis, &reply) == REDIS_OK) {
        if (!reply)
            return true;
        take(role, reply);
        freeReplyObject(reply);
    }
    return false;
}

static bool consume(role_t *role) {
    redisContext *redis = dial(role);
    redisReply *subscribed = redis ? redisCommand(redis, "SUBSCRIBE " CHANNEL) : NULL;
    bool good = subscribed != NULL;
    freeReplyObject(subscribed);
    role_ready(role);
    while (good && !role_over(role)) {
        struct pollfd what = {redis->fd, POLLIN, 0};
        if (poll(&what, 1, 50) > 0)
            good = redisBufferRead(redis) == REDIS_OK && take_all(role, redis);
    }
    if (redis && !good)
        role_fails(role, "%s", redis->errstr);
    if (redis)
        redisFree(redis);
    return good;
}

const peer_t peer_redis = {
    .name = "redis",
    .title = "Redis PUBLISH",
    .settings = "redis-server without persistence and without a limit of what waits for a "
                "subscriber; hiredis; in a flood 512 PUBLISH in a write and 1,024 without reply.",
    .can = can,
    .installed = installed,
    .start = start,
    .publish = publish,
    .consume = consume,
};
