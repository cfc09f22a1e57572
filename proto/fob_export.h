/* Visibility of what libfob exports; everything else is hidden. */
#ifndef FOB_EXPORT_H
#define FOB_EXPORT_H

#if defined(__GNUC__)
#define FOB_EXPORT   __attribute__((visibility("default")))
#define FOB_MUST_USE __attribute__((warn_unused_result))
#else
#define FOB_EXPORT
#define FOB_MUST_USE
#endif

#endif
