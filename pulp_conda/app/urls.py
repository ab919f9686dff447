"""Routes of the API app that are not for viewsets: the board for people who logged in."""

from django.urls import include, path, re_path

from pulp_conda.app.board.places import url_pattern
from pulp_conda.app.board.views import (
    AnswerPage,
    BoardPage,
    EntryPage,
    LifecyclesPage,
    LostPage,
    PromotePage,
    RollBackPage,
    TaskPage,
)

_STAGE = "<uuid:lifecycle>/stages/<str:stage>"
_ENTRY = "<uuid:lifecycle>/history/<int:number>"

_pages = [
    path("", LifecyclesPage.as_view(), name="conda-board-lifecycles"),
    path("<uuid:lifecycle>/", BoardPage.as_view(), name="conda-board-stages"),
    path(f"{_STAGE}/promote/", PromotePage.as_view(), name="conda-board-promote"),
    path(f"{_STAGE}/rollback/", RollBackPage.as_view(), name="conda-board-rollback"),
    path(f"{_ENTRY}/", EntryPage.as_view(), name="conda-board-entry"),
    path(f"{_ENTRY}/approve/", AnswerPage.as_view(is_approval=True), name="conda-board-approve"),
    path(f"{_ENTRY}/reject/", AnswerPage.as_view(is_approval=False), name="conda-board-reject"),
    path("<uuid:lifecycle>/tasks/<uuid:task>/", TaskPage.as_view(), name="conda-board-task"),
    # Django leads from a path without its slash to the one with it.
    re_path("^.+/$", LostPage.as_view()),
]

urlpatterns = [path(url_pattern(), include(_pages))]
